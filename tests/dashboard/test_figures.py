import json
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore
from PIL import Image

from mnist_sweep.dashboard.figures import PREFIX, add_figures
from mnist_sweep.sweep.read_only import open_to_annotate, open_to_read
from mnist_sweep.sweep.study import DATA
from mnist_sweep.sweep.study_record import of_storage
from tests.report.conftest import ADDRESS, add, create, ran


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


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


def test_finished_trials_whose_runs_are_here_get_their_figures_once(command, quick):
    assert command(*quick) == 0
    study = create("s")
    known = ran(0, run_directory="run")
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
