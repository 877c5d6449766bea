"""What is said of a study from look to look, and when the watching ends."""

import re
import shutil
import sys
from pathlib import Path

import optuna
import pytest

from mnist_sweep import formats
from mnist_sweep.cli import arguments
from mnist_sweep.formats import FormatError
from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.read_only import StorageError
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.leases import SWEEP, this_process
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.watch import __main__ as entry
from mnist_sweep.watch.screen import Screen
from mnist_sweep.watch.sight import SightError
from mnist_sweep.watch.watching import Watching
from tests.report.conftest import SPACE
from tests.studies.conftest import JOURNAL, SQLITE, swept

GONE = {**this_process(), "pid": 2**22 + 1, "token": "t"}


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def watch(capsys):
    """Return a function that begins a watching; it returns one that looks, with what is said."""

    def begin(name="s", address=SQLITE):
        watching = Watching(name, address, Screen())

        def step():
            watching.step()
            return capsys.readouterr().out.splitlines(), watching.over

        return step

    return begin


def going(address=SQLITE, total=4, owner=None):
    """A study of two trials that have ended, and one that runs."""
    storage = open_storage(address).optuna
    study = swept(address=address, storage=storage)
    study_store.record_total(study, total)
    return study, storage, run(study, storage, owner)


def run(study, storage, owner=None):
    """A trial that runs, with the record of its sweep."""
    trial = study.ask(SPACE)
    TrialRecords(study, storage).mark(
        trial.number, SWEEP, owner or {**this_process(), "token": "t"}
    )
    trial.set_user_attr(study_store.DATA, "a")  # as of a run of ours
    trial.set_user_attr("run_directory", "multirun/s/0")
    return trial


def test_a_study_that_is_complete_is_said_in_a_line_and_ends_the_watching(watch):
    swept()
    said, over = watch()()
    assert over
    assert said == [
        f"study s in {SQLITE}: complete, 2/2 trials done",
        "best 91.0% (trial 1)",
        "look next: python -m mnist_sweep.report study=s storage=sqlite:///multirun/optuna.db",
    ]


@pytest.mark.parametrize("address", [SQLITE, JOURNAL])
def test_a_line_is_said_where_something_has_changed_and_no_other(watch, address):
    study, storage, trial = going(address)
    look = watch(address=address)
    said, over = look()
    assert not over
    assert said[0] == f"study s in {address}: 2/4 trials done"
    assert re.fullmatch(r"trials run; about \d+s left, best 91\.0% \(trial 1\)", said[1])
    assert look() == ([], False)

    trial.set_user_attr("status", "complete")
    study.tell(trial, 0.95)
    last = run(study, storage)
    said, over = look()
    assert not over
    (line,) = said
    assert re.match(r"trial  2 done    95\.0%  best .*lr=", line), line
    assert look() == ([], False)

    last.set_user_attr("status", "failed")
    last.set_user_attr("reason", "it diverged")
    study.tell(last, state=optuna.trial.TrialState.FAIL)
    said, over = look()
    assert over
    assert said[0] == "trial  3 failed: it diverged"
    assert said[1:3] == [
        f"study s in {address}: complete, 4/4 trials done",
        "best 95.0% (trial 2), 1 failed",
    ]


def test_a_study_whose_sweeps_are_gone_is_said_to_have_stopped_and_is_watched_on(watch):
    study, storage, _ = going(owner=GONE)
    look = watch()
    said, over = look()
    stopped = "no trial runs (the sweep's command resumes the study); best 91.0% (trial 1)"
    assert (said[1:], over) == ([stopped], False)
    run(study, storage)
    (line,), over = look()
    assert line.startswith("trials run; ")
    assert not over
    study_store.record_total(study, 9)
    assert look() == (["the study wants 9 trials now"], False)


def test_a_storage_or_a_study_that_is_not_there_yet_is_waited_for(watch):
    look = watch(address=JOURNAL)
    said, _ = look()
    assert said == ["there is no file multirun/studies.log yet: waiting for it; Ctrl-C ends this"]
    assert look() == ([], False), "it is said once"
    swept("another", JOURNAL)
    said, _ = look()
    assert said == [
        f"study=s is not in {JOURNAL} yet; it has another: waiting for it; Ctrl-C ends this"
    ]
    swept("s", JOURNAL)
    assert look()[1]


def test_a_storage_that_cannot_be_read_is_refused_at_once_and_later_waited_for(watch):
    Path("multirun").mkdir()
    Path("multirun/optuna.db").write_text("no database")
    with pytest.raises(StorageError, match="cannot be read"):
        watch()()
    Path("multirun/optuna.db").unlink()
    going()
    look = watch()
    look()
    shutil.move("multirun/optuna.db", "elsewhere.db")
    (line,), over = look()
    assert not over
    assert "there is no file multirun/optuna.db" in line
    shutil.move("elsewhere.db", "multirun/optuna.db")
    assert look() == ([], False), "it is as it was"


def test_a_study_that_is_removed_ends_the_watching(watch):
    going()
    look = watch()
    look()
    optuna.delete_study(study_name="s", storage=open_storage(SQLITE).optuna)
    with pytest.raises(SightError, match=r"study=s is not in .* any more"):
        look()


def test_a_study_that_no_sweep_wrote_is_named(watch):
    study, _, trial = going()
    study.set_user_attr(study_search.DEFINITION, "nonsense")
    watch()()  # what has a name of ours and is of another kind counts as not there
    study._storage.set_trial_system_attr(trial._trial_id, SWEEP, "nonsense")
    with pytest.raises(SightError, match="study=s holds what no sweep writes"):
        watch()()


def test_a_study_of_a_later_version_is_said_to_be_one(watch):
    study, *_ = going()
    study.set_user_attr(formats.STUDY_KEY, formats.STUDY + 1)
    with pytest.raises(FormatError, match="study 's' has format 2, of a later version"):
        watch()()


def test_what_others_wrote_moves_no_cursor(watch):
    study, _, trial = going()
    look = watch()
    look()
    trial.set_user_attr("status", "failed")
    trial.set_user_attr("reason", "\x1b[2Jred\nlines")
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert look()[0] == ["trial  2 failed: \\x1b[2Jred lines"]


def test_a_password_is_not_printed(watch, monkeypatch):
    watching = Watching("s", "postgresql://u:secret@h/d", Screen())
    assert watching.where == "postgresql://u:***@h/d"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "study= must be given"),
        (["study=s", "every=0"], "every must be greater than 0 and finite, but got 0"),
        (["study=s", "every=nan"], "every must be greater than 0 and finite, but got nan"),
        (["study=s", "storage=x"], "storage=x cannot be read"),
        (["study=s", "storage=sqlite://"], "is in memory"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused_in_one_line(
    monkeypatch, capsys, words, said
):
    monkeypatch.setattr(sys, "argv", ["watch", *words])
    with pytest.raises(SystemExit):
        arguments.run(entry.Watch, entry.__doc__, entry.main)
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_the_command_ends_by_itself_when_the_study_is_complete(monkeypatch, capsys):
    study, _, trial = going(total=3)

    def end(seconds):
        assert seconds >= 0.5
        trial.set_user_attr("status", "complete")
        study.tell(trial, 0.5)

    monkeypatch.setattr(entry.time, "sleep", end)
    entry.main(entry.Watch("s", every=0.5))
    assert "complete, 3/3 trials done" in capsys.readouterr().out
