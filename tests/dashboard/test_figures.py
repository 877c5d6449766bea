import json
import threading
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore
from PIL import Image

from mnist_sweep.dashboard.figures import PREFIX, Drawing, add_figures, without_figures
from mnist_sweep.sweep.read_only import open_to_annotate, open_to_read
from mnist_sweep.sweep.study_record import of_storage
from mnist_sweep.sweep.study_store import DATA
from tests.report.conftest import ADDRESS, add, create, ran


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(autouse=True)
def _another():
    """Another study's trial comes first, so that no trial's number is its id in the storage."""
    create("another").ask()


def added(name, store):
    """How many trials of a study got figures."""
    storage = open_to_annotate(ADDRESS)
    return add_figures(of_storage(name, ADDRESS, storage), storage, store)


def artifacts(name):
    """Of each trial id, the files that optuna-dashboard would list."""
    storage = open_to_read(ADDRESS)
    found = {}
    for key, value in storage.get_study_system_attrs(storage.get_study_id_from_name(name)).items():
        if key.startswith(PREFIX):
            trial_id, identity = key.removeprefix(PREFIX).split(":")
            found.setdefault(int(trial_id), {})[json.loads(value)["filename"]] = identity
    return found


def test_finished_trials_whose_runs_are_here_get_their_figures_once(finished):
    study = create("s")
    known = ran(0, run_directory=str(finished))
    known.pop(DATA)
    add(study, "complete", 0.9, **known)
    add(study, "rejected", excess=5.0, parameters=20_004, reason="too large")
    add(study, "complete", 0.8, **ran(2, run_directory="elsewhere/2"))
    study.ask()
    Path("store").mkdir()
    store = FileSystemArtifactStore("store")
    assert added("s", store) == 1
    (first,) = artifacts("s").values()
    assert set(first) == {"learning_curve.png", "confusion.png"}
    for identity in first.values():
        with Image.open(Path("store") / identity) as image:
            assert image.width > 300
    assert added("s", store) == 0
    assert artifacts("s") == {1: first}


@pytest.fixture
def curves():
    """A study of three complete trials and a pruned one, whose runs have learning curves."""
    study = create("s")
    for number, value in enumerate((0.7, 0.9, 0.8)):
        add(study, "complete", value, **run_with_curve(number))
    add(study, "pruned", **run_with_curve(3))
    Path("store").mkdir()
    storage = open_to_annotate(ADDRESS)
    return of_storage("s", ADDRESS, storage), storage, FileSystemArtifactStore("store")


def run_with_curve(number):
    """What a trial knows whose run is here, with a line for each of two epochs."""
    folder = Path(f"runs/{number}")
    folder.mkdir(parents=True)
    line = {"train_loss": 0.5, "train_acc": 0.8, "val_loss": 0.4, "val_acc": 0.9, "lr": 0.1}
    lines = (json.dumps({"epoch": epoch, **line}) for epoch in (1, 2))
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return ran(number, run_directory=str(folder))


def test_the_best_trials_get_their_figures_first(curves):
    record, storage, _ = curves
    assert [row.number for row in without_figures(record, storage)] == [1, 2, 0, 3]


def test_figures_are_drawn_while_a_page_is_open(curves):
    record, storage, store = curves
    drawing = Drawing([record], storage, store)
    with drawing:
        drawing.thread.join()
    assert len(artifacts("s")) == 4
    assert without_figures(record, storage) == []


def test_no_further_figures_are_drawn_once_the_page_is_closed(curves):
    record, storage, store = curves
    closed = threading.Event()
    closed.set()
    assert add_figures(record, storage, store, closed) == 0
    assert artifacts("s") == {}


def test_a_store_that_is_full_ends_the_drawing_with_one_line_and_not_the_page(curves, capsys):
    record, storage, store = curves
    Path("store").rmdir()
    drawing = Drawing([record], storage, store)
    with drawing:
        drawing.thread.join()
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("no more figures are drawn: ")


def test_a_study_that_is_deleted_on_the_page_ends_its_drawing_without_a_word(curves, capfd):
    record, storage, store = curves
    drawing = Drawing([record], storage, store)
    optuna.delete_study(study_name="s", storage=storage)
    with drawing:
        drawing.thread.join()
    assert capfd.readouterr().err == ""
