import copy
import inspect

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hydra.utils import get_class

from mnist_sweep.models import MLP, Linear, ResNet, SimpleCNN, StagedCNN
from mnist_sweep.run.build import build_model

COUNTS = [
    ("enhanced", 19_306),
    ("baseline", 17_758),
    ("residual", 19_282),
    ("wide", 19_881),
    ("simple", 206_922),
    ("simple model.hidden=10", 20_600),
    ("linear", 7_850),
    ("mlp", 19_885),
    ("resnet", 77_754),
]


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("overrides", "count"), COUNTS)
def test_parameter_counts_are_the_published_ones(composed, overrides, count):
    config = composed(*f"model={overrides}".split())
    assert parameters(build_model(config.model)) == count


@pytest.mark.parametrize("name", ["mlp", "simple", "enhanced", "residual", "wide", "resnet"])
def test_the_defaults_of_a_class_are_those_of_its_config(composed, name):
    """The stages of a staged network are its config's own: the class has none."""
    given = dict(composed(f"model={name}").model)
    target = get_class(given.pop("_target_"))
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(target).parameters.items()
        if key in given and parameter.default is not inspect.Parameter.empty
    }
    assert {"dropout", "width"} & defaults.keys()
    assert {key: given[key] for key in defaults if key != "residual"} == {
        key: default for key, default in defaults.items() if key != "residual"
    }


@pytest.mark.parametrize("name", ["linear", "mlp", "simple", "enhanced", "residual", "resnet"])
def test_forward_maps_images_to_ten_logits(composed, name):
    model = build_model(composed(f"model={name}").model)
    assert model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        (StagedCNN, {"stages": [[8, 8], [8]]}),
        (SimpleCNN, {"hidden": 10}),
        (ResNet, {"channels": [4, 8]}),
    ],
)
def test_width_multiplies_parameters_and_dropout_does_not_change_them(model, setting):
    narrow, plain, wide = (parameters(model(**setting, width=w)) for w in (0.5, 1.0, 2.0))
    assert narrow < plain < wide
    assert parameters(model(**setting, dropout=0.5)) == plain


def test_each_stage_is_one_3x3_convolution_then_1x1_with_bias_and_norm():
    model = StagedCNN([[8, 16, 16], [22, 30, 30]])
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.kernel_size for c in convolutions] == [(3, 3), (1, 1), (1, 1)] * 2
    assert all(c.bias is not None for c in convolutions)
    norms = [m.num_features for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms == [8, 16, 16, 22, 30, 30]
    poolings = [m for m in model.modules() if isinstance(m, torch.nn.MaxPool2d)]
    assert len(poolings) == 1  # between stages only; the last one is pooled globally


def test_a_residual_skip_adds_the_input_where_the_width_is_constant():
    units = [
        u for u in StagedCNN([[4, 4, 6]], residual=True).features.modules() if hasattr(u, "skip")
    ]
    assert [u.skip for u in units] == [False, True, False]
    unit = units[1].eval()
    torch.nn.init.zeros_(unit.conv.weight)
    torch.nn.init.zeros_(unit.conv.bias)
    x = torch.rand(1, 4, 2, 2)
    assert torch.allclose(unit(x), x)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model = MLP(hidden=50, dropout=0.5)
    images = torch.rand(4, 1, 28, 28)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MLP(hidden=0), "hidden must be at least 1, but got 0"),
        (lambda: MLP(dropout=1.0), r"dropout must be in \[0, 1\), but got 1.0"),
        (lambda: StagedCNN([[8]], dropout=-0.1), "but got -0.1"),
        (lambda: StagedCNN([[8]], width=0), "width must be greater than 0 and finite, but got 0"),
        (lambda: StagedCNN([[0]]), "channels must be at least 1, but got 0"),
        (lambda: StagedCNN([]), "but got \\[\\]"),
        (lambda: StagedCNN([[4]] * 6), "at most 5"),
        (lambda: ResNet([]), "1 to 5 groups"),
        (lambda: ResNet([4], blocks=0), "blocks must be at least 1"),
        (lambda: ResNet([4], blocks=10**9), "blocks must be at most 100, but got 1000000000"),
        (lambda: SimpleCNN(width=float("nan")), "but got nan"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused_with_the_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_linear_is_logistic_regression():
    model = Linear()
    images = torch.rand(2, 1, 28, 28)
    expected = images.reshape(2, 784) @ model.classifier.weight.T + model.classifier.bias
    assert torch.allclose(model(images), expected)


@pytest.mark.parametrize("residual", [False, True])
def test_pooling_before_the_activation_gives_what_pooling_after_it_gives(residual):
    torch.manual_seed(0)
    before = StagedCNN([[6, 6], [8, 8]], dropout=0.0, residual=residual)
    after = copy.deepcopy(before)
    unit = after.features[0][-1]
    unit.relu, unit.pool = unit.pool, unit.relu
    images = torch.randn(4, 1, 28, 28)
    for model in (before, after):
        F.cross_entropy(model(images), torch.arange(4)).backward()
    for one, other in zip(before.parameters(), after.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.equal(one.grad, other.grad)
