"""Several seeds of one configuration: each is what a run of its own would be."""

import json
from pathlib import Path

import pytest
import torch

from mnist_sweep.config_checks import check
from mnist_sweep.run import execute, session
from mnist_sweep.training.loop import Diverged
from tests.conftest import read_json_lines

SMALL = ["model=mlp", "model.hidden=20", "model.dropout=0.3", "data=mnist_5k"]
SETTINGS = [*SMALL, "tracking=none", "epochs=2", "batch_size=250", "scheduler=one_cycle"]
SEEDS = (1, 2, 3)


@pytest.fixture
def seeds(composed):
    """Return a function from further overrides to one run's config a seed."""
    return lambda *more: [check(composed(*SETTINGS, *more, f"seed={seed}")) for seed in SEEDS]


def paths(folder):
    return [Path(folder) / str(seed) for seed in SEEDS]


def figures(path):
    """A run's epochs and its result, without what the clock says."""
    epochs = read_json_lines(path / "metrics.jsonl")
    result = json.loads((path / "result.json").read_text())
    for line in (*epochs, result):
        for name in ("seconds", "images_per_second"):
            line.pop(name, None)
    return epochs, result


def train_each(configs, directories):
    for config, directory in zip(configs, directories, strict=True):
        execute.execute_or_resume(config, directory, "mlp")


def stop_after_two_epochs_of_the_second(configs, directories, monkeypatch):
    """Train seeds, and interrupt them when the second has its checkpoint of the second epoch."""
    original = session.Session._after_epoch

    def interrupt(self, epoch, is_best):
        original(self, epoch, is_best)
        if self.run.seed == 2 and epoch.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, "_after_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_each(configs, directories)


def status(path):
    result = path / "result.json"
    return json.loads(result.read_text())["status"] if result.exists() else None


def test_seeds_one_after_another_are_what_runs_of_their_own_are(seeds):
    train_each(seeds(), paths("together"))
    for config, alone, together in zip(seeds(), paths("alone"), paths("together"), strict=True):
        execute.execute(config, alone, name="mlp", resume=False, sweep=None)
        epochs, result = figures(alone)
        for name in ("test_acc", "test_loss"):  # that the others look at when nothing is to choose
            assert result.pop(name) is not None
        assert figures(together) == (epochs, result)


def test_interrupted_seeds_go_on_to_what_uninterrupted_ones_are(seeds, monkeypatch):
    configs = seeds("epochs=3")
    train_each(configs, paths("whole"))
    stop_after_two_epochs_of_the_second(configs, paths("cut"), monkeypatch)
    assert [status(path) for path in paths("cut")] == ["complete", "interrupted", None]
    train_each(configs, paths("cut"))
    for cut, whole in zip(paths("cut"), paths("whole"), strict=True):
        assert figures(cut)[0] == figures(whole)[0]
        assert status(cut) == "complete"


def test_a_seed_that_finished_no_epoch_starts_again(seeds):
    for path in paths("left"):
        path.mkdir(parents=True)
        (path / "result.json").write_text('{"status": "running"}')
    train_each(seeds(), paths("left"))
    assert [status(path) for path in paths("left")] == ["complete"] * 3


@pytest.mark.parametrize("where", ["_after_epoch", "_finish"])
def test_a_seed_that_diverges_is_recorded_as_such_and_stays_so(seeds, monkeypatch, where):
    original = getattr(session.Session, where)

    def diverge(self, *arguments):
        if self.run.seed == 2:
            raise Diverged("training diverged in epoch 1")
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, where, diverge)
        train_each(seeds(), paths("runs"))
    expected = ["complete", "diverged", "complete"]
    assert [status(path) for path in paths("runs")] == expected
    train_each(seeds(), paths("runs"))
    assert [status(path) for path in paths("runs")] == expected


def test_what_torch_has_drawn_before_does_not_matter(seeds):
    train_each(seeds()[1:2], paths("alone")[1:2])
    torch.rand(7)
    train_each(seeds(), paths("all"))
    assert figures(paths("all")[1]) == figures(paths("alone")[1])


def test_a_seed_that_had_diverged_when_it_was_stopped_stays_diverged(seeds):
    train_each(seeds(), paths("runs"))
    path = paths("runs")[1]
    lines = read_json_lines(path / "metrics.jsonl")
    lines[-1]["train_loss"] = None
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = json.loads((path / "result.json").read_text())
    (path / "result.json").write_text(json.dumps({**result, "status": "interrupted"}))
    train_each(seeds(), paths("runs"))
    assert [status(path) for path in paths("runs")] == ["complete", "diverged", "complete"]
    assert json.loads((path / "result.json").read_text())["reason"] == (
        "training diverged in epoch 2"
    )


def resumed_elsewhere(config, path, monkeypatch, **other):
    """Train a run to its next epoch's end as if on another machine, and leave it there."""
    for name, value in other.items():
        monkeypatch.setattr(execute, name, lambda *_, value=value: value)
    original = session.Session._after_epoch

    def interrupt(self, epoch, is_best):
        original(self, epoch, is_best)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, "_after_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            execute.execute_or_resume(config, path, "mlp")


def test_a_result_names_the_epochs_that_had_another_machine(composed, monkeypatch):
    config, path = check(composed(*SETTINGS, "epochs=4")), Path("moved")
    for processor in ("one", "other", "other", "last"):
        resumed_elsewhere(config, path, monkeypatch, processor=processor)
    execute.execute_or_resume(config, path, "mlp")
    result = json.loads((path / "result.json").read_text())
    assert result["processor"] == "last"
    parts = [(part["processor"], part["epochs"]) for part in result["earlier"]]
    assert parts == [("one", 1), ("other", 2)]
    assert result["earlier"][0]["versions"] == result["versions"]


def test_a_run_that_is_resumed_where_it_was_has_nothing_earlier(composed, monkeypatch):
    config, path = check(composed(*SETTINGS)), Path("stayed")
    resumed_elsewhere(config, path, monkeypatch)
    execute.execute_or_resume(config, path, "mlp")
    assert "earlier" not in json.loads((path / "result.json").read_text())
