"""Several seeds of one configuration: each is what a run of its own would be."""

import json
from pathlib import Path

import pytest
import torch

from mnist_sweep.config import check
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
        for name in ("seconds", "images_per_second", "stacked"):
            line.pop(name, None)
    return epochs, result


def as_one(monkeypatch):
    """Have runs trained as one here too, which is what a GPU is for."""
    original = execute._prepare

    class Device(str):
        type = "cuda"

    def prepare(*arguments, **settings):
        found = original(*arguments, **settings)
        if isinstance(found, session.Session):
            found.device = Device("cpu")
        return found

    monkeypatch.setattr(execute, "_prepare", prepare)


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
            execute.execute_seeds(configs, directories, "mlp")


def status(path):
    result = path / "result.json"
    return json.loads(result.read_text())["status"] if result.exists() else None


def test_seeds_one_after_another_are_what_runs_of_their_own_are(seeds):
    execute.execute_seeds(seeds(), paths("together"), "mlp")
    for config, alone, together in zip(seeds(), paths("alone"), paths("together"), strict=True):
        execute.execute(config, alone, name="mlp", resume=False, sweep=None)
        assert figures(together) == figures(alone)


def test_seeds_trained_as_one_are_recorded_each_for_itself(seeds, monkeypatch):
    """As on a GPU. Without dropout they agree with runs of their own but for rounding."""
    fixed = seeds("model.dropout=0.0")
    execute.execute_seeds(fixed, paths("loop"), "mlp")
    as_one(monkeypatch)
    execute.execute_seeds(fixed, paths("stack"), "mlp")
    for loop, stack in zip(paths("loop"), paths("stack"), strict=True):
        (expected, _), (found, result) = figures(loop), figures(stack)
        for there, here in zip(expected, found, strict=True):
            assert here["train_loss"] == pytest.approx(there["train_loss"], rel=2e-2)
            assert here["val_acc"] == pytest.approx(there["val_acc"], abs=0.02)
        assert result["status"] == "complete"
        assert result["test_acc"] > 0.3
        assert json.loads((stack / "result.json").read_text())["stacked"] == len(SEEDS)
    assert len({figures(path)[0][0]["train_loss"] for path in paths("stack")}) == len(SEEDS)


@pytest.mark.parametrize("together", [False, True])
def test_interrupted_seeds_go_on_to_what_uninterrupted_ones_are(seeds, monkeypatch, together):
    configs = seeds("model.dropout=0.0", "epochs=3")
    if together:
        as_one(monkeypatch)
    execute.execute_seeds(configs, paths("whole"), "mlp")
    stop_after_two_epochs_of_the_second(configs, paths("cut"), monkeypatch)
    # As one, the third had not got as far: the first two go on together, and it for itself.
    expected = ["interrupted"] * 3 if together else ["complete", "interrupted", None]
    assert [status(path) for path in paths("cut")] == expected
    execute.execute_seeds(configs, paths("cut"), "mlp")
    for cut, whole in zip(paths("cut"), paths("whole"), strict=True):
        (found, _), (theirs, _) = figures(cut), figures(whole)
        assert [line["epoch"] for line in found] == [1, 2, 3]
        if not together:
            assert found == theirs
        assert status(cut) == "complete"


def test_a_seed_that_finished_no_epoch_starts_again(seeds):
    for path in paths("left"):
        path.mkdir(parents=True)
        (path / "result.json").write_text('{"status": "running"}')
    execute.execute_seeds(seeds(), paths("left"), "mlp")
    assert [status(path) for path in paths("left")] == ["complete"] * 3


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("where", ["_after_epoch", "_finish"])
def test_a_seed_that_diverges_leaves_the_others_alone_and_stays_so(
    seeds, monkeypatch, where, together
):
    if together:
        as_one(monkeypatch)
    original = getattr(session.Session, where)

    def diverge(self, *arguments):
        if self.run.seed == 2:
            raise Diverged("training diverged in epoch 1")
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(session.Session, where, diverge)
        execute.execute_seeds(seeds(), paths("runs"), "mlp")
    expected = ["complete", "diverged", "complete"]
    assert [status(path) for path in paths("runs")] == expected
    execute.execute_seeds(seeds(), paths("runs"), "mlp")
    assert [status(path) for path in paths("runs")] == expected


def test_what_fails_all_is_recorded_with_each_that_is_not_complete(seeds, monkeypatch):
    as_one(monkeypatch)
    original = session.Session._finish

    def fail(self, reason):
        if self.run.seed == 2:
            raise OSError("disk full")
        return original(self, reason)

    monkeypatch.setattr(session.Session, "_finish", fail)
    with pytest.raises(OSError, match="disk full"):
        execute.execute_seeds(seeds(), paths("runs"), "mlp")
    assert [status(path) for path in paths("runs")] == ["complete", "failed", "failed"]


def test_what_torch_has_drawn_before_does_not_matter(seeds):
    execute.execute_seeds(seeds()[1:2], paths("alone")[1:2], "mlp")
    torch.rand(7)
    execute.execute_seeds(seeds(), paths("all"), "mlp")
    assert figures(paths("all")[1]) == figures(paths("alone")[1])


def test_a_seed_that_catches_up_with_others_is_not_trained_again_with_them(seeds, monkeypatch):
    """Stopped between two seeds' last checkpoints: one has an epoch left, the others have none."""
    as_one(monkeypatch)
    stop_after_two_epochs_of_the_second(seeds(), paths("runs"), monkeypatch)
    finish, finished = session.Session._finish, []

    def count(self, reason):
        finished.append(self.run.seed)
        return finish(self, reason)

    monkeypatch.setattr(session.Session, "_finish", count)
    execute.execute_seeds(seeds(), paths("runs"), "mlp")
    assert sorted(finished) == [1, 2, 3]
    assert [status(path) for path in paths("runs")] == ["complete"] * 3


@pytest.mark.parametrize("together", [False, True])
def test_a_seed_that_had_diverged_when_it_was_stopped_stays_diverged(seeds, monkeypatch, together):
    if together:
        as_one(monkeypatch)
    execute.execute_seeds(seeds(), paths("runs"), "mlp")
    path = paths("runs")[1]
    lines = read_json_lines(path / "metrics.jsonl")
    lines[-1]["train_loss"] = None
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = json.loads((path / "result.json").read_text())
    (path / "result.json").write_text(json.dumps({**result, "status": "interrupted"}))
    execute.execute_seeds(seeds(), paths("runs"), "mlp")
    assert [status(path) for path in paths("runs")] == ["complete", "diverged", "complete"]
    assert json.loads((path / "result.json").read_text())["reason"] == (
        "training diverged in epoch 2"
    )
