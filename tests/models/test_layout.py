"""Which layout a model is trained in: channels_last, but where torch's kernels are faulty."""

import json

import pytest
import torch
from torch import nn

from mnist_sweep.models import ResNet, StagedCNN
from mnist_sweep.models.layers import Conv2d
from mnist_sweep.models.layout import UnsafeLayout, training_layout

FAULT = "a strided 1x1 convolution of fewer than 8 channels"


class Net(nn.Module):
    """A user's own: 3x3 to some channels, another layer, their mean, linear."""

    def __init__(self, layer, channels=6, before=lambda x: x):
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, padding=1)
        self.layer, self.before = layer, before
        self.last = nn.Linear(1, 10)

    def forward(self, x):
        y = self.layer(self.before(self.first(x)))
        return self.last(y.mean((1, 2, 3))[:, None])


class Functional(nn.Module):
    def __init__(self, function, weight, *arguments, **settings):
        super().__init__()
        self.function, self.weight = function, nn.Parameter(weight)
        self.arguments, self.settings = arguments, settings

    def forward(self, x):
        return self.function(x, self.weight, *self.arguments, **self.settings)


SAFE = {
    "no stride": lambda: Net(nn.Conv2d(6, 12, 1)),
    "eight channels": lambda: Net(nn.Conv2d(8, 12, 1, stride=2), 8),
    "twelve channels": lambda: Net(nn.Conv2d(12, 6, 1, stride=2), 12),
    "3x3": lambda: Net(nn.Conv2d(6, 12, 3, stride=2)),
    "groups": lambda: Net(nn.Conv2d(6, 12, 1, stride=2, groups=2)),
    "transposed to many channels": lambda: Net(nn.ConvTranspose2d(6, 12, 1, stride=2)),
    "ours": lambda: Net(Conv2d(6, 12, 1, stride=2)),
    "no convolution": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
}
FAULTY = {
    "two": lambda: Net(nn.Conv2d(6, 12, 1, stride=2)),
    "one direction": lambda: Net(nn.Conv2d(7, 12, 1, stride=(1, 2)), 7),
    "three, without bias": lambda: Net(nn.Conv2d(3, 8, 1, stride=3, bias=False), 3),
    "a dilation": lambda: Net(nn.Conv2d(6, 12, 1, stride=2, dilation=2)),
    "transposed": lambda: Net(nn.ConvTranspose2d(12, 6, 1, stride=2, output_padding=1), 12),
    "a function": lambda: Net(Functional(torch.conv2d, torch.ones(12, 6, 1, 1), stride=2)),
    "a function by position": lambda: Net(
        Functional(nn.functional.conv2d, torch.ones(12, 6, 1, 1), None, 2)
    ),
    "a subclass": lambda: Net(type("Own", (nn.Conv2d,), {})(6, 12, 1, stride=2)),
    "one channel": lambda: Net(nn.Conv2d(1, 12, 1, stride=2), 1),
}


@pytest.mark.parametrize("build", SAFE.values(), ids=SAFE)
def test_a_model_is_trained_in_channels_last(build):
    layout = training_layout(build)
    assert (layout.memory_format, layout.reason) == (torch.channels_last, None)


@pytest.mark.parametrize("build", FAULTY.values(), ids=FAULTY)
def test_a_model_that_would_reach_the_faulty_kernel_is_trained_contiguous(build):
    layout = training_layout(build)
    assert layout.memory_format == torch.contiguous_format
    assert layout.reason.startswith(FAULT)


def test_a_model_that_makes_its_tensors_channels_last_itself_is_refused():
    def build():
        return Net(
            nn.Conv2d(6, 12, 1, stride=2), before=lambda x: x.to(memory_format=torch.channels_last)
        )

    with pytest.raises(UnsafeLayout, match=FAULT):
        training_layout(build)


def test_a_model_that_works_in_contiguous_tensors_alone_gets_those():
    net = Net(nn.Conv2d(6, 12, 3), before=lambda x: x.view(len(x), -1).view_as(x))
    layout = training_layout(lambda: net)
    assert layout.memory_format == torch.contiguous_format
    assert layout.reason.startswith("an operation that fails in channels_last: view size")


def test_a_model_that_fails_in_either_layout_is_left_to_training():
    layout = training_layout(lambda: Net(nn.Conv2d(7, 12, 1)))
    assert layout.memory_format == torch.channels_last


def test_looking_at_a_model_draws_nothing_from_torchs_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    training_layout(lambda: StagedCNN([[4, 4]], dropout=0.5))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("width", [0.3, 0.45, 1.0])
def test_the_shipped_resnet_is_trained_in_channels_last(width):
    assert training_layout(lambda: ResNet([16, 32, 64], width=width)).reason is None


@pytest.fixture
def strided(tmp_path, monkeypatch):
    """The override of a user's own model that reaches the faulty kernel in channels_last."""
    (tmp_path / "its_own.py").write_text(
        "from torch import nn\n\n\n"
        "def strided():\n"
        "    return nn.Sequential(nn.Conv2d(1, 6, 5, stride=3), nn.Conv2d(6, 8, 1, stride=2),\n"
        "                         nn.ReLU(), nn.Flatten(), nn.Linear(128, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "its_own.*")
    return "model._target_=its_own.strided"


def test_a_run_says_and_records_its_layout(command, quick, capsys, tmp_path, strided):
    assert command(*quick, "device=cpu", strided) == 0
    said = capsys.readouterr().out
    assert f"layout: contiguous, since the model has {FAULT}" in said
    recorded = json.loads((tmp_path / "run" / "result.json").read_text())
    assert recorded["layout"]["name"] == "contiguous"
    assert recorded["layout"]["reason"].startswith(FAULT)


def test_a_run_has_the_layout_that_it_is_asked_for(command, quick, capsys, tmp_path):
    assert command(*quick, "device=cpu", "epochs=1", "layout=contiguous") == 0
    assert "layout:" not in capsys.readouterr().out
    recorded = json.loads((tmp_path / "run" / "result.json").read_text())
    assert recorded["layout"] == {"name": "contiguous", "reason": None}


def test_a_layout_that_goes_wrong_with_a_model_is_refused(command, quick, capsys, strided):
    assert command(*quick, "device=cpu", strided, "layout=channels_last") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: layout=channels_last: the model has {FAULT}")
    assert said.endswith("leave it out\n")
    words = ["device=cpu", strided, "layout=contiguous", "hydra.run.dir=other"]
    assert command(*quick, *words) == 0
