import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.records import TrialRecords
from tests.conftest import prepare

SHARED = ["journal:///studies.log", "sqlite:///studies.db"]


@pytest.fixture(params=[None, *SHARED])
def storage(request):
    """An Optuna storage of each kind: they differ in whether a trial they give is their own."""
    prepare(request.param)
    opened = open_storage(request.param)
    yield opened.optuna
    opened.close()


@pytest.fixture
def records(storage):
    """The second of two studies, so that a trial's id is not its number."""
    optuna.create_study(study_name="first", storage=storage).ask()
    return TrialRecords(optuna.create_study(study_name="second", storage=storage), storage)


def test_a_trial_is_read_by_its_number_as_it_is_now(records):
    trial = records.study.ask()
    assert records.id_of(0) != 0
    assert (records.read(0).params, records.read(0).state) == ({}, TrialState.RUNNING)
    trial.suggest_float("x", 0, 1)
    trial.report(0.5, 1)
    after = records.read(0)
    assert (after.params, after.intermediate_values) == (trial.params, {1: 0.5})
    records.study.tell(trial, 1.0)
    assert records.read(0).state == TrialState.COMPLETE


def test_a_trial_that_the_study_does_not_have_is_missing_until_it_is_asked_for(records):
    with pytest.raises(KeyError):
        records.read(0)
    records.study.ask()
    assert records.read(0).number == 0


def test_a_running_trial_is_had_by_its_number_with_what_it_has(records):
    asked = records.study.ask()
    asked.suggest_float("x", 0, 1)
    trial = records.trial(0)
    trial.report(0.5, 3)
    assert (trial.number, trial.params) == (0, asked.params)
    assert records.read(0).intermediate_values == {3: 0.5}


def test_marks_and_descriptions_are_the_trials_and_change_what_was_there(records):
    trial = records.study.ask()
    trial.set_user_attr("reason", "of another sweep")
    trial.set_user_attr("status", "interrupted")
    records.describe(0, "reason", "too wide")
    records.mark(0, "owner", {"pid": 1})
    records.mark(0, "owner", {"pid": 2, "host": None})
    assert records.read(0).user_attrs == {"reason": "too wide", "status": "interrupted"}
    assert records.read(0).system_attrs == {"owner": {"pid": 2, "host": None}}


def test_a_trial_that_waits_is_asked_for_next_with_its_number_and_its_parameters(records):
    first = records.study.ask()
    x = first.suggest_float("x", 0, 1)
    first.report(0.5, 1)
    records.wait(first.number)
    assert records.read(0).state == TrialState.WAITING
    again = records.study.ask()
    assert again.number == first.number
    assert again.suggest_float("x", 0, 1) == x
    assert records.read(0).intermediate_values == {1: 0.5}


# In memory, Optuna looks for what waits behind the trials that were asked for already: such a study
# ends with its process, and nobody else is there to leave it a trial.
@pytest.mark.parametrize("storage", SHARED, indirect=True)
def test_a_trial_that_waits_is_asked_for_before_new_ones(records):
    for _ in range(3):
        records.study.ask()
    records.wait(1)
    records.wait(0)
    assert [records.study.ask().number for _ in range(3)] == [0, 1, 3]
    assert records.read(2).state == TrialState.RUNNING


def test_a_trial_that_waits_may_still_be_marked(records):
    records.study.ask()
    records.wait(0)
    records.mark(0, "deaths", 1)
    records.describe(0, "status", "interrupted")
    assert records.read(0).system_attrs == {"deaths": 1}


@pytest.mark.parametrize(
    "write",
    [
        lambda records: records.mark(0, "owner", 1),
        lambda records: records.describe(0, "status", "complete"),
        lambda records: records.wait(0),
    ],
    ids=["mark", "describe", "wait"],
)
def test_a_trial_that_has_ended_stays_what_it_is(records, write):
    records.study.tell(records.study.ask(), 1.0)
    with pytest.raises(UpdateFinishedTrialError):
        write(records)
    assert records.read(0).state == TrialState.COMPLETE
    assert records.read(0).user_attrs == records.read(0).system_attrs == {}
