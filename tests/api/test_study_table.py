"""A study as a table."""

import sys
from pathlib import Path

import pytest

from mnist_sweep import study
from mnist_sweep.api.study_table import NotInstalled
from mnist_sweep.confirm.conclusion import write_conclusion
from mnist_sweep.study_folder import SUMMARY
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.read_only import StorageError
from mnist_sweep.sweep.study_record import StudyReadError
from mnist_sweep.sweep.trials.status import TrialStatus
from tests.report.conftest import ADDRESS, add, confirmed, create, create_usual, ran, stored, usual

__all__ = ["confirmed", "usual"]  # fixtures


def test_a_study_is_its_trials_as_plain_data(usual):
    found = study(usual, ADDRESS)
    assert (found.name, found.objectives, found.directions) == ("usual", ["val_acc"], ["maximize"])
    assert [trial["number"] for trial in found.trials] == list(range(9))
    first = found.trials[0]
    assert (first["status"], type(first["status"])) == ("complete", str)
    assert first["values"] == {"val_acc": 0.9}
    assert first["settings"] == {"optimizer.lr": 0.01, "model.width": 1.0, "batch_size": 32}
    assert first["curve"] == {1: 0.5, 2: 0.7, 3: 0.8, 4: 0.9}
    assert first["figures"]["parameters"] == 15_000
    assert first["directory"] == Path("multirun/usual/0")
    assert first["overrides"] == ["data=mnist_5k", "seed=0", "run='a b'"]
    rejected = found.trials[1]
    assert (rejected["status"], rejected["values"]) == ("rejected", {})
    assert (rejected["reason"], rejected["directory"]) == ("20,399 parameters, ...", None)


def test_the_best_is_the_first_of_equals(usual):
    found = study(usual, ADDRESS)
    assert found.best["number"] == 2
    assert found.front == [found.best]


def test_a_study_without_a_complete_trial_has_no_best():
    add(create("new"), TrialStatus.FAILED, reason="diverged", **ran(0))
    assert study("new", ADDRESS).best is None


def test_of_several_objectives_there_is_a_front():
    several = create("front", ("maximize", "minimize"), ["val_acc", "parameters"])
    for values in ([0.9, 8_000], [0.97, 18_000], [0.8, 9_000]):
        add(several, TrialStatus.COMPLETE, values, **ran(0))
    found = study("front", ADDRESS)
    assert [trial["values"]["parameters"] for trial in found.front] == [18_000, 8_000]
    with pytest.raises(StudyReadError, match=r"has the objectives val_acc, parameters: .* \.front"):
        _ = found.best


def test_a_frame_has_a_row_for_each_trial(usual):
    frame = study(usual, ADDRESS).frame()
    assert frame.index.tolist() == list(range(9))
    assert frame.columns[:4].tolist() == ["status", "reason", "val_acc", "optimizer.lr"]
    assert frame.loc[2, "val_acc"] == 0.97
    assert frame.loc[frame.status == "complete", "parameters"].max() == 18_500
    assert frame.columns.is_unique


def test_an_objectives_column_has_complete_trials_alone():
    found = create("pruned")
    add(found, TrialStatus.COMPLETE, 0.9, **ran(0, val_acc=0.9))
    add(found, TrialStatus.PRUNED, curve=(0.95,), **ran(1, val_acc=0.95))
    frame = study("pruned", ADDRESS).frame()
    assert frame.val_acc.dropna().to_dict() == {0: 0.9}
    assert study("pruned", ADDRESS).trials[1]["figures"]["val_acc"] == 0.95


def test_without_pandas_that_is_one_line(usual, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NotInstalled, match=r"frame\(\) needs pandas: pip install pandas"):
        study(usual, ADDRESS).frame()


def test_a_confirmation_of_the_study_is_its_conclusion(usual, confirmed):
    assert study(usual, ADDRESS).conclusion is None
    folder = Path("multirun/usual")
    (folder / "confirmation").mkdir(parents=True)
    (folder / "confirmation-epochs=2").mkdir()
    study_of_it = stored(usual)
    study_of_it.set_user_attr(study_store.ID, "one")
    study_of_it.set_user_attr(study_store.DIRECTORY, str(folder))
    (folder / SUMMARY).write_text("study_id: one\n")
    write_conclusion(confirmed, folder / "confirmation")
    found = study(usual, ADDRESS)
    assert found.folder == folder
    assert found.conclusion.standings[0].test_acc.mean == pytest.approx(0.97)


def test_what_is_not_there_is_one_line():
    create_usual()
    with pytest.raises(StudyReadError, match=r"study=other is not in .*; it has usual"):
        study("other", ADDRESS)
    with pytest.raises(StorageError, match="there is no file"):
        study("usual")


@pytest.mark.parametrize("storage", [None, 3, Path("multirun/optuna.db")])
def test_a_storage_that_is_no_address_is_one_line_that_shows_one(storage):
    with pytest.raises(StorageError, match=r"an address such as sqlite:///\S+, but got") as raised:
        study("usual", storage)
    assert str(raised.value).endswith(str(storage))
