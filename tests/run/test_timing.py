"""What a run will cost, against what runs have left and taken."""

from dataclasses import replace
from pathlib import Path

import pytest

from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check
from mnist_sweep.data.sources import DataError
from mnist_sweep.models.cost import BudgetExceeded
from mnist_sweep.run.timing import planned, timed

SMALL = ["model=mlp", "model.hidden=12", "data=mnist_5k", "tracking=none", "epochs=2"]


@pytest.fixture
def plan(composed):
    """Return a function from overrides to a planned run."""
    return lambda *overrides: planned(check(composed(*overrides)), "a model")


def test_an_epochs_steps_count_its_short_last_batch(plan):
    found = plan(*SMALL, "batch_size=300")
    assert (found.images, found.steps) == (4000, 14)


def test_an_epoch_is_timed_several_times_and_its_files_are_as_large_as_a_runs(plan, finished):
    found = timed(plan(*SMALL), 0.2)
    assert len(found.epoch_seconds) >= 3
    assert min(found.epoch_seconds) > 0
    assert found.disk.weights == (finished / "checkpoints" / "best.safetensors").stat().st_size
    checkpoint = (finished / "checkpoints" / "last.pt").stat().st_size
    assert found.disk.checkpoint == pytest.approx(checkpoint, rel=0.01)
    files = [path for path in finished.rglob("*") if path.is_file()]
    records = sum(p.stat().st_size for p in files if "checkpoints" not in p.parts)
    assert found.disk.records == pytest.approx(records, rel=0.3)


def test_what_is_timed_may_diverge_and_its_schedule_end(plan):
    words = ["scheduler=one_cycle", "optimizer.lr=1e30", "early_stopping.patience=1"]
    assert timed(plan(*SMALL, *words, "batch_size=2000"), 0.2).epoch_seconds


def test_a_student_is_timed_with_its_teacher(plan, finished):
    assert timed(plan(*SMALL, f"distill.teacher={finished}"), 0.1).epoch_seconds


@pytest.mark.parametrize("name", ["mnist", "auto", "fashion_mnist"])
def test_data_that_is_to_be_downloaded_is_not_but_its_size_is_known(plan, tmp_path, name):
    found = plan("model=linear", f"data={name}", "data.root=nowhere")
    assert found.images == 50_000
    assert found.notes[0].startswith("the data is not in nowhere/")
    assert ("mnist_5k" in found.notes[0]) == (name == "auto")
    assert timed(found, 0.1).epoch_seconds
    assert list(tmp_path.iterdir()) == []


def test_what_is_to_be_known_of_the_settings_is_among_the_notes(plan):
    assert "keep.monitor=val_acc" in plan(*SMALL, "label_smoothing=0.1").notes[-1]
    assert not plan(*SMALL).notes


def test_auto_is_the_subset_where_nothing_may_be_downloaded(plan):
    found = plan("model=linear", "data=auto", "data.root=nowhere", "data.download=false")
    assert (found.dataset.name, found.notes) == ("mnist_5k", ())


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["data=mnist", "data.root=nowhere", "data.download=false"], DataError, "data.download is"),
        (
            ["data=mnist", "data.root=nowhere", "data.folder=Mine", "data.name=mine"],
            DataError,
            "no",
        ),
        (["data=mnist_5k", "batch_size=4001"], ConfigError, "larger than the training split"),
        (["data=mnist", "data.root=nowhere", "batch_size=50001"], ConfigError, "larger than"),
        (["data=mnist_5k", "budget.max_parameters=100"], BudgetExceeded, "lifts the budget"),
        (["data=mnist_5k", "optimizer.lr=-1"], ConfigError, "Invalid learning rate"),
    ],
)
def test_what_a_run_refuses_is_refused(plan, overrides, error, message):
    with pytest.raises(error, match=message):
        plan("model=mlp", *overrides)


def test_a_graph_without_a_gpu_is_refused(plan):
    found = plan(*SMALL, "device=cpu")
    with pytest.raises(ConfigError, match="cuda_graph=true needs a GPU"):
        timed(replace(found, run=replace(found.run, cuda_graph=True)), 0.1)


def test_nothing_is_written(plan):
    timed(plan(*SMALL), 0.1)
    assert list(Path().iterdir()) == []
