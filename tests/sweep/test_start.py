"""What a sweep that could not start takes away again."""

from types import SimpleNamespace

import optuna
import pytest

from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.start import Made
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.leases import SWEEP
from mnist_sweep.sweep.trials.records import TrialRecords

ADDRESS = "sqlite:///study.db"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """What a sweep has made that just began a study, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    storage = open_storage(ADDRESS)
    study = optuna.create_study(study_name="s", storage=storage.optuna)
    directory = tmp_path / "multirun" / "s"
    directory.mkdir(parents=True)
    made = Made(SimpleNamespace(directory=directory, task=SimpleNamespace(names_trials=True)))
    made.note(study, storage)
    study_store.count_sweep(study)
    yield made
    storage.close()


def launch(made):
    trial = made.study.ask()
    TrialRecords(made.study, made.storage.optuna).mark(trial.number, SWEEP, {"token": "t"})
    return trial.number


def names():
    return optuna.get_all_study_names(ADDRESS)


def test_a_study_of_which_no_trial_has_begun_is_removed_with_its_folder(made):
    launch(made)
    made.undo()
    assert names() == []
    assert not made.given.directory.exists()


def test_a_study_that_has_a_run_stays(made):
    (made.given.directory / str(launch(made))).mkdir()
    made.undo()
    assert names() == ["s"]


def test_a_study_that_another_sweep_has_opened_stays(made):
    """The other is on another machine, where its runs are, and has none that has ended."""
    study_store.count_sweep(optuna.load_study(study_name="s", storage=ADDRESS))
    launch(made)
    made.undo()
    assert names() == ["s"]


def test_a_study_that_is_gone_already_is_no_error(made):
    optuna.delete_study(study_name="s", storage=ADDRESS)
    made.undo()
    assert names() == []
