"""Runs to confirm, made by hand where training them is not the point."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_sweep.confirm.candidates import Candidate
from mnist_sweep.confirm.runs import SeedRun

IMAGES = 200


@pytest.fixture
def recorded(composed):
    """Return a function that leaves a run directory as a finished run does, without its network."""

    def record(directory, *overrides, **result):
        groups = {"model": "linear", "data": "mnist_5k", "tracking": "none"}
        given = {override.partition("=")[0] for override in overrides}
        usual = [f"{group}={name}" for group, name in groups.items() if group not in given]
        config = composed(*usual, *overrides)
        path = Path(directory)
        (path / ".hydra").mkdir(parents=True)
        OmegaConf.save(config, path / ".hydra" / "config.yaml")
        figures = {"model": "linear", "status": "complete", "val_acc": 0.97, **result}
        (path / "result.json").write_text(json.dumps(figures))
        return str(path)

    return record


@pytest.fixture
def ended(composed):
    """Return a function from a title, and the wrong images of each seed, to runs that are done.

    A seed without a list has diverged.
    """

    def end(
        title, wrong, val_acc=0.97, searched=0.98, fingerprint="same", val_loss=0.1, before=None
    ):
        config = composed("model=linear", "data=mnist_5k", "tracking=none", "epochs=4")
        source = {"model": "linear", "val_acc": searched, "max_epochs": 4}
        source |= {"data": {"fingerprint": "same"}, **(before or {})}
        candidate = Candidate(title, title, config, source)
        runs = []
        for seed, images in wrong.items():
            directory = Path("confirmed") / title / str(seed)
            directory.mkdir(parents=True)
            result = {
                "status": "complete",
                "parameters": 7_850,
                "max_epochs": 4,
                "val_acc": val_acc + seed / 1000,
                "val_loss": val_loss,
                "test_loss": 0.2,
                "data": {"name": "mnist_5k", "fingerprint": fingerprint},
            }
            if images is None:
                result["status"] = "diverged"
            else:
                errors = {"images": IMAGES, "wrong": list(images)}
                (directory / "test_errors.json").write_text(json.dumps(errors))
                (directory / "val_errors.json").write_text(json.dumps(errors))
            (directory / "result.json").write_text(json.dumps(result))
            runs.append(SeedRun(candidate, seed, directory))
        return runs

    return end
