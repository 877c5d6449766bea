"""What a run builds of its recipe, seen in what it leaves."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check
from mnist_sweep.hydra_part import config_directory
from mnist_sweep.run.build import build_dataset, build_training
from mnist_sweep.run.execute import execute
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.single import write_config
from mnist_sweep.training.loop import Precision, evaluate, forward_backward, train_step

CPU = torch.device("cpu")
CONF = Path(config_directory())
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


@pytest.mark.parametrize("model", sorted(file.stem for file in (CONF / "model").glob("*.yaml")))
def test_every_shipped_model_can_be_averaged(composed, model):
    config = check(composed(f"model={model}", "ema.decay=0.9", "precision=bfloat16"))
    training = build_training(config, 10, CPU)
    images, labels = torch.randn(8, 1, 28, 28), torch.arange(8)
    work = partial(forward_backward, training, Precision("bfloat16"))
    before = {name: each.clone() for name, each in training.judged.state_dict().items()}
    train_step(training, (images, labels), work)
    after = training.judged.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(bool(each.isfinite().all()) for each in after.values())


def test_a_model_that_cannot_be_copied_is_not_averaged_in_one_line(composed, monkeypatch):
    class Locked(torch.nn.Linear):
        def __deepcopy__(self, memo):
            raise TypeError("cannot pickle '_thread.lock' object")

    monkeypatch.setattr("mnist_sweep.run.build.build_model", lambda node: Locked(2, 2))
    config = check(composed("ema.decay=0.9"))
    with pytest.raises(ConfigError) as raised:
        build_training(config, 10, CPU)
    assert str(raised.value) == (
        "ema.decay=0.9: Locked cannot be copied: cannot pickle '_thread.lock' object"
    )


class Extra(torch.nn.Linear):
    """A network with more in its state_dict than tensors."""

    def __init__(self):
        super().__init__(784, 10)

    def forward(self, images):
        return super().forward(images.flatten(1))

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        pass


def test_a_model_whose_state_holds_more_than_tensors_is_refused_before_training(
    composed, monkeypatch
):
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "tests.*")
    config = composed(*SETTINGS)
    config.model = {"_target_": f"{__name__}.Extra"}
    with pytest.raises(ConfigError) as raised:
        execute(check(config), Path("run"), name="extra", resume=False, sweep=None)
    assert str(raised.value) == (
        "model=extra has a dict in its state_dict (_extra_state), and a run saves tensors only: "
        "make that a buffer (register_buffer), or leave out get_extra_state"
    )
    assert not Path("run/result.json").exists()
