import pytest
import torch
from torch import nn

from mnist_sweep.data import Images, Pipeline
from mnist_sweep.inspection import predictions
from mnist_sweep.inspection.predictions import Predictions
from mnist_sweep.models import MLP, Compact, ResNet, SimpleCNN, StagedCNN


def predicted(*rows):
    """(label, {digit: probability}) for each image; what is left goes to digit 9."""
    probabilities = torch.zeros(len(rows), 10)
    for row, (_, given) in zip(probabilities, rows, strict=True):
        for digit, probability in given.items():
            row[digit] = probability
        row[9] += 1 - row.sum()
    return Predictions(probabilities, torch.tensor([label for label, _ in rows]))


FOUND = predicted(
    (3, {3: 0.9}),
    (3, {5: 0.8, 3: 0.1}),
    (5, {5: 0.6}),
    (1, {1: 0.3, 7: 0.7}),
    (3, {5: 0.55, 3: 0.45}),
)


def test_the_confusion_matrix_counts_labels_by_rows_and_predictions_by_columns():
    counts = FOUND.confusion()
    assert counts.shape == (10, 10)
    assert counts.sum() == 5
    assert counts[3, 5] == 2
    assert counts[5, 3] == 0
    assert (counts[3, 3], counts[5, 5], counts[1, 7]) == (1, 1, 1)
    assert FOUND.accuracy == pytest.approx(2 / 5)


def test_the_hardest_images_are_those_whose_own_label_is_least_probable():
    assert FOUND.hardest(3).tolist() == [1, 3, 4]
    assert FOUND.hardest(99).tolist() == [1, 3, 4, 2, 0]


def test_a_split_is_classified_in_evaluation_mode_and_in_order(monkeypatch):
    monkeypatch.setattr(predictions, "EVALUATION_BATCH", {"cpu": 4})
    torch.manual_seed(0)
    model = MLP(hidden=8, dropout=0.9).train()
    pixels = torch.randint(0, 256, (10, 28, 28), dtype=torch.uint8)
    split = Images(pixels, torch.arange(10))
    found = predictions.predict(model, split, Pipeline())
    assert model.training
    assert torch.equal(found.labels, torch.arange(10))
    with torch.no_grad():
        expected = model.eval()(Pipeline().prepare(pixels)).softmax(1)
    assert torch.allclose(found.probabilities, expected, atol=1e-6)


def test_every_convolution_is_found_with_its_weights():
    model = StagedCNN([[4, 6], [8]])
    found = predictions.convolutions(model)
    assert [tuple(weight.shape) for weight in found.values()] == [
        (4, 1, 3, 3),
        (6, 4, 1, 1),
        (8, 6, 3, 3),
    ]
    assert predictions.convolutions(MLP()) == {}


def test_feature_maps_are_what_the_modules_put_out_and_no_hook_is_left():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten()).train()
    image = torch.randn(1, 1, 28, 28)
    found = predictions.feature_maps(model, image, ["0", "1"])
    with torch.no_grad():
        before = model[0](image)[0]
    assert torch.equal(found["0"], before)  # not as the ReLU in place leaves it
    assert torch.equal(found["1"], before.relu())
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


class FlattensItself(nn.Module):
    """A network whose activation comes after its maps are flattened, by no module of theirs."""

    def __init__(self):
        super().__init__()
        self.convolution, self.relu = nn.Conv2d(1, 2, 3), nn.ReLU()

    def forward(self, images):
        return self.relu(self.convolution(images).flatten(1))


def test_what_is_no_map_is_left_out():
    model = FlattensItself()
    found = predictions.feature_maps(model, torch.zeros(1, 1, 28, 28), ["convolution", "relu"])
    assert list(found) == ["convolution"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            StagedCNN([[4, 6]]),
            ["features.0.0.relu", "features.0.1.relu"],
        ),
        (SimpleCNN(), ["features.1", "features.4"]),
        (MLP(), []),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), ["0"]),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.ReLU()), ["0"]),
        (
            Compact([[4], [6, 6, 6]], kernel="separable_3x3", shared=True, activation="silu"),
            [
                "units.0.after.0",
                "units.1.after.0",
                "units.2.convolution.0",
                "units.2.after.0",
                "units.3.convolution.0",
                "units.3.after.0",
                "units.4.after.0",  # it shares the convolution of the one before
            ],
        ),
    ],
    ids=["staged", "simple", "mlp", "bare", "flattened", "compact"],
)
def test_a_units_map_is_its_activation_where_it_has_one(model, expected):
    assert predictions.mapped_modules(model) == expected


def test_every_module_to_be_mapped_of_a_residual_network_runs():
    model = ResNet([4, 8])
    names = predictions.mapped_modules(model)
    found = predictions.feature_maps(model, torch.zeros(1, 1, 28, 28), names)
    assert set(found) == set(names)
    assert all(output.ndim == 3 for output in found.values())
