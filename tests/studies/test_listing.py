"""What a list says of studies: how far each is, what it found, and what it cannot read."""

import json
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from mnist_sweep import formats
from mnist_sweep.studies.listing import State, as_data, entry_of, read_entries
from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.read_only import open_to_read
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.leases import SWEEP, LivenessMonitor, this_process
from mnist_sweep.sweep.trials.records import TrialRecords
from tests.report.conftest import add
from tests.studies.conftest import JOURNAL, SQLITE, swept

ELSEWHERE = {"host": "another", "pid": 1, "started": 0.0, "token": "t"}
GONE = {**this_process(), "pid": 2**22 + 1, "token": "t"}


def entries(address=SQLITE, owners=None):
    return {e.name: e for e in read_entries(open_to_read(address), address, owners)}


def running(study, storage, owner):
    """A trial that runs, with its sweep's record."""
    trial = study.ask()
    if owner is not None:
        TrialRecords(study, storage).mark(trial.number, SWEEP, owner)
    return trial.number


def state(study):
    return entry_of(study, SQLITE, {}).state


def memory(total, ended=0):
    """A study that wants so many trials, and has some that ended a day ago."""
    storage = open_storage(None).optuna
    study = optuna.create_study(storage=storage, direction="maximize")
    if total is not None:
        study_store.record_total(study, total)
    before = datetime.now() - timedelta(days=1)
    for _ in range(ended):
        trial = create_trial(
            state=TrialState.COMPLETE, value=0.5, user_attrs={"status": "complete"}
        )
        trial.datetime_start = trial.datetime_complete = before
        study.add_trial(trial)
    return study, storage


@pytest.mark.parametrize("address", [SQLITE, JOURNAL])
def test_an_entry_has_the_progress_the_best_in_percent_its_size_and_the_folder(address):
    swept("first", address)
    entry = entries(address)["first"]
    assert (entry.progress, entry.state) == ("2/2", State.FINISHED)
    assert (entry.best.trial, entry.best.text, entry.best.parameters) == (1, "91.0%", 15_000)
    assert str(entry.folder) == "multirun/first"
    assert entry.started <= entry.changed


def test_a_study_is_finished_when_it_has_the_trials_that_its_sweep_wanted():
    assert state(memory(3, ended=3)[0]) == State.FINISHED
    assert state(memory(4, ended=3)[0]) == State.STOPPED


def test_a_study_that_recorded_no_total_is_finished_unless_a_trial_waits():
    study, _ = memory(None, ended=1)
    assert state(study) == State.FINISHED
    assert entry_of(study, SQLITE, {}).progress == "1"
    study.enqueue_trial({})
    assert state(study) == State.STOPPED
    assert state(memory(None)[0]) == State.STOPPED


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ({**this_process(), "token": "t"}, State.RUNNING),
        (ELSEWHERE, State.RUNNING),
        (GONE, State.STOPPED),
        (None, State.RUNNING),  # it is being judged
    ],
    ids=["alive", "another machine's", "dead", "none yet"],
)
def test_a_study_runs_as_long_as_a_trials_owner_may_live(owner, expected):
    study, storage = memory(9, ended=1)
    running(study, storage, owner)
    assert state(study) == expected


def test_another_machines_trial_that_never_changes_is_dead_after_a_while():
    study, storage = memory(9)
    running(study, storage, ELSEWHERE)
    now = [0.0]
    owners = {study.study_name: LivenessMonitor(60, clock=lambda: now[0])}
    assert entry_of(study, SQLITE, owners).state == State.RUNNING
    now[0] = 61.0
    assert entry_of(study, SQLITE, owners).state == State.STOPPED


def test_a_sweep_between_two_trials_counts_as_running():
    study, _ = memory(2)
    add(study, "complete", 0.5)
    assert state(study) == State.RUNNING


def test_a_front_says_how_many_are_on_it_and_leads_with_the_first_objective():
    storage = open_storage(SQLITE).optuna
    study = optuna.create_study(
        study_name="front", storage=storage, directions=["maximize", "minimize"]
    )
    for values in ([0.9, 20.0], [0.8, 10.0], [0.7, 30.0]):
        add(study, "complete", values)
    entry = entries()["front"]
    assert entry.front == [0, 1]
    assert entry.best.values == (0.9, 20.0)


def test_running_studies_lead_and_the_latest_follows():
    for name in ("old", "new"):
        swept(name)
    storage = open_storage(SQLITE).optuna
    study = optuna.create_study(study_name="at work", storage=storage)
    running(study, storage, {**this_process(), "token": "t"})
    assert list(entries()) == ["at work", "new", "old"]


def test_a_study_with_other_peoples_values_is_an_entry_that_says_why(monkeypatch):
    swept("good")
    storage = open_storage(SQLITE).optuna
    for name, key, value in (("a", study_search.DEFINITION, 5), ("b", study_store.DIRECTORY, [1])):
        study = optuna.create_study(study_name=name, storage=storage)
        study.set_user_attr(key, value)
    found = entries()
    assert [found[name].state for name in "ab"] == [State.STOPPED] * 2
    assert found["good"].state == State.FINISHED

    def objectives_of(study):
        if study.study_name == "a":
            raise TypeError("an int, and no text")
        return ["value"]

    monkeypatch.setattr("mnist_sweep.studies.listing.objectives_of", objectives_of)
    found = entries()
    assert found["a"].state == State.UNREADABLE
    assert "int" in found["a"].reason
    assert found["good"].state == State.FINISHED


def test_a_study_of_a_later_version_is_an_entry_that_says_so():
    swept("later")
    study = optuna.load_study(study_name="later", storage=open_storage(SQLITE).optuna)
    study.set_user_attr(formats.STUDY_KEY, formats.STUDY + 1)
    entry = entries()["later"]
    assert entry.state == State.UNREADABLE
    assert entry.reason.startswith(f"study 'later' has format {formats.STUDY + 1}, of a later")


def test_the_data_has_stable_keys_and_no_infinities():
    swept("first")
    storage = open_storage(SQLITE).optuna
    study = optuna.create_study(study_name="inf", storage=storage, direction="minimize")
    add(study, "complete", float("inf"))
    found = {each["name"]: each for each in as_data(entries().values())}
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text)["inf"]["best"]["values"] == [None]
    assert list(found["first"]) == [
        *("name", "state", "reason", "done", "total", "trials", "objectives", "directions"),
        *("best", "front", "started", "changed", "folder"),
    ]
    assert found["first"]["best"] == {"trial": 1, "values": [0.91], "parameters": 15_000}
    assert datetime.fromisoformat(found["first"]["started"])
    assert found["inf"]["total"] is None
