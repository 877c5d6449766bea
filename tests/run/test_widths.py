"""What a run records of a network that chooses its own widths, and that it is built again so."""

import json
import re

import pytest
import torch

from mnist_sweep.bundle.bundle import write_bundle
from mnist_sweep.run.exported import read_bundle
from mnist_sweep.run.load import load_trained

CPU = torch.device("cpu")
SMALL = [
    "model=compact",
    "model.fill=1.0",
    "budget.max_parameters=1500",
    "model.kernel=separable_3x3",
    "model.shared=true",
    "model.pooling=blur",
    "model.squeeze_excite=true",
    "data=mnist_5k",
    "tracking.tensorboard.images=0",
    "tracking.figures=never",
    "batch_size=400",
    "hydra.run.dir=run",
]


@pytest.fixture
def trained(command, capfd):
    """A run of a network that is as wide as its budget allows; what it printed."""
    assert command(*SMALL, "epochs=1") == 0
    return capfd.readouterr().out


def test_a_run_records_the_widths_it_has_chosen_and_is_loaded_with_them(trained, tmp_path):
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert re.fullmatch(r"\d+-\d+( \| 1x1 \d+, \d+-\d+){2}", result["widths"])
    assert f"widths: {result['widths']}\n" in trained
    loaded = load_trained("run", CPU)
    assert loaded.model.plan.outline == result["widths"]
    write_bundle(loaded, tmp_path / "bundle")
    bundle = read_bundle(str(tmp_path / "bundle"), CPU)
    images = torch.randn(3, 1, 28, 28)
    assert torch.equal(bundle.model(images), loaded.model(images))
