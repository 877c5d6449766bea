"""What a run builds of its recipe, seen in what it leaves."""

import json
from pathlib import Path

import pytest
import torch

from mnist_sweep.config import ConfigError, check
from mnist_sweep.run.build import build_dataset
from mnist_sweep.run.execute import execute
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.single import write_config
from mnist_sweep.training.loop import Precision, evaluate

CPU = torch.device("cpu")
SETTINGS = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=2", "batch_size=500"]


@pytest.fixture
def trained_run(composed):
    """Return a function that trains a run with further overrides; it returns its directory."""

    def train(*words):
        config, directory = composed(*SETTINGS, *words), Path("run")
        write_config(config, directory)
        execute(check(config), directory, name="linear", resume=False, sweep=None)
        return directory

    return train


def test_averaged_weights_are_what_a_run_keeps_validates_and_tests(trained_run):
    directory = trained_run("ema.decay=0.99", "ema.every=2")
    trained = load_trained(str(directory), CPU)
    data = build_dataset(trained.run)
    found = json.loads((directory / "result.json").read_text())
    kept = evaluate(trained.model, data.val, trained.pipeline, Precision())
    assert kept == (found["val_loss"], found["val_acc"])
    tested = evaluate(trained.model, data.test, trained.pipeline, Precision())
    assert tested == (found["test_loss"], found["test_acc"])
    last = torch.load(directory / "checkpoints/last.pt", weights_only=True)["training"]
    name = "classifier.weight"
    assert not torch.equal(last["model"][name], trained.model.state_dict()[name])
    assert torch.equal(last["averaging"]["model"][name], trained.model.state_dict()[name])


def test_an_average_that_no_epoch_would_have_is_refused(trained_run):
    with pytest.raises(ConfigError, match=r"ema\.every=9 is more than the 8 steps of an epoch"):
        trained_run("ema.decay=0.9", "ema.every=9")
