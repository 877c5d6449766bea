from contextlib import nullcontext

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import NopPruner
from optuna.samplers import GridSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.leases import SWEEP
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.status import GATE, TrialStatus, attributes_of, status_of
from mnist_sweep.sweep.trials.tally import Tally


def test_only_launched_trials_that_ended_count(study):
    assert Tally(study).finished == 4
    assert Tally(study).counts == {
        "rejected": 2,
        "complete": 2,
        "failed": 1,
        "pruned": 1,
        "running": 1,
    }


def test_a_trial_without_a_status_of_ours_has_what_its_state_says():
    study = optuna.create_study()
    for state, value in (("COMPLETE", 1.0), ("PRUNED", None), ("FAIL", None)):
        study.tell(study.ask(), value, TrialState[state])
    study.enqueue_trial({"x": 1.0})
    assert [status_of(t) for t in study.trials] == ["complete", "pruned", "failed", "queued"]


def test_a_trial_that_waits_is_interrupted_where_it_was_launched_and_queued_where_not():
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage)
    records = TrialRecords(study, storage)
    for number in range(2):
        study.ask()
        if number == 0:
            records.mark(number, SWEEP, {})
    for number in range(2):
        records.wait(number)
    assert [status_of(t) for t in study.trials] == [TrialStatus.INTERRUPTED, TrialStatus.QUEUED]


def test_what_waits_is_told_from_what_runs():
    study = optuna.create_study()
    for x in (0.0, 1.0):
        study.enqueue_trial({"x": x})
    assert [trial.number for trial in Tally(study).waiting] == [0, 1]
    assert study_store.in_progress(study) == []
    study.ask()
    assert [trial.number for trial in Tally(study).waiting] == [1]
    assert [trial.number for trial in study_store.in_progress(study)] == [0]


def test_what_the_gate_found_is_an_attribute_of_the_trial_as_what_its_run_found():
    trial = optuna.trial.create_trial(
        value=1.0,
        user_attrs={
            "epochs": 3,
            "parameters": 7,  # of the run itself
            GATE: {"parameters": 8, "reason": "8 over"},
        },
    )
    assert attributes_of(trial) == {"epochs": 3, "parameters": 7, "reason": "8 over"}
    assert attributes_of(optuna.trial.create_trial(value=1.0)) == {}


@pytest.mark.parametrize(
    ("state", "excess", "found", "launched", "status"),
    [
        (TrialState.PRUNED, None, {"reason": "no"}, False, TrialStatus.REJECTED),
        (TrialState.PRUNED, 3.0, {}, False, TrialStatus.REJECTED),
        (TrialState.PRUNED, -3.0, {"parameters": 5}, False, TrialStatus.PRUNED),
        (TrialState.PRUNED, -3.0, {"parameters": 5}, True, TrialStatus.PRUNED),
        # An earlier proposal of the trial was rejected, say before the budget was raised.
        (TrialState.PRUNED, None, {"reason": "no"}, True, TrialStatus.PRUNED),
        (TrialState.RUNNING, 3.0, {"reason": "no"}, False, TrialStatus.RUNNING),
    ],
)
def test_a_rejected_trial_is_known_by_what_the_gate_found(state, excess, found, launched, status):
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    if excess is not None:
        trial.set_constraint("size", excess)
    trial.set_user_attr(GATE, found)
    if launched:
        TrialRecords(study, storage).mark(0, SWEEP, {})
    if state.is_finished():
        study.tell(trial, None, state)
    assert status_of(study.trials[0]) == status


@pytest.mark.parametrize(
    ("status", "state", "own"),
    [
        (TrialStatus.COMPLETE, TrialState.COMPLETE, {"status": "complete"}),
        (TrialStatus.FAILED, TrialState.FAIL, {"status": "failed", "reason": "why"}),
        (TrialStatus.PRUNED, TrialState.PRUNED, {"status": "pruned", "reason": "why"}),
        (TrialStatus.REFUSED, TrialState.FAIL, {"status": "refused", "reason": "why"}),
    ],
)
def test_an_end_is_told_with_its_status_and_its_reason(status, state, own):
    study = optuna.create_study()
    complete = status == TrialStatus.COMPLETE
    study_store.tell_end(
        study, study.ask(), status, None if complete else "why", [1.0] if complete else None
    )
    assert (study.trials[0].state, study.trials[0].user_attrs) == (state, own)
    assert status_of(study.trials[0]) == status


def test_the_last_point_of_a_grid_can_be_told():
    study = optuna.create_study(sampler=GridSampler({"x": [0.0]}))
    study_store.tell_end(study, study.ask(), TrialStatus.COMPLETE, None, [1.0])
    assert Tally(study).counts == {TrialStatus.COMPLETE: 1}


def test_rejections_are_pruned_so_that_tpe_learns_from_them(study):
    rejected = [t for t in study.trials if status_of(t) == TrialStatus.REJECTED]
    assert {t.state for t in rejected} == {TrialState.PRUNED}


def test_a_study_of_another_direction_is_refused(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path}/optuna.db")
    study_store.open_study("s", storage, None, NopPruner(), ["maximize"])
    with pytest.raises(SweepError, match="exists with direction maximize, not minimize"):
        study_store.open_study("s", storage, None, NopPruner(), ["minimize"])


def test_trials_on_other_data_end_the_sweep():
    study = optuna.create_study(study_name="s")
    study_store.check_data(study, {})
    study_store.check_data(study, {"data": "mnist_5k", "data_fingerprint": "aa"})
    study_store.check_data(study, {"data": "mnist_5k", "data_fingerprint": "aa"})
    with pytest.raises(SweepError, match="uses data aa, but this trial ran on mnist bb"):
        study_store.check_data(study, {"data": "mnist", "data_fingerprint": "bb"})


def test_of_two_searches_that_begin_together_the_first_to_launch_has_the_study():
    study = optuna.create_study(study_name="s")
    first, second = (
        study_search.Claim(study, {"search": {"settings": {"lr": lr}}, "budget": 5})
        for lr in ("0.1", "0.2")
    )
    first.check()
    second.check()  # nothing is recorded yet
    first.record()
    first.check()
    with pytest.raises(SweepError, match=r"exists with another search: lr was 0\.1, is now 0\.2"):
        second.check()


def test_a_sweep_is_no_longer_asked_for_its_claim_once_it_has_it():
    study = optuna.create_study(study_name="s")
    claim = study_search.Claim(study, {"search": {"settings": {"lr": "0.1"}}, "budget": 5})
    claim.record()
    # Another sweep has moved a range meanwhile, as `extension` lets it.
    study_search.replace_definition(study, {"search": {"settings": {"lr": "0.2"}}, "budget": 5})
    claim.check()


def test_another_search_under_the_same_name_is_refused_with_the_difference():
    study = optuna.create_study(study_name="s")
    first = {"search": {"settings": {"lr": "0.1", "batch": "32", "threads": "1"}}, "budget": 5}
    study_search.check_definition(study, first)  # nothing is recorded yet
    study_search.Claim(study, first).record()
    study_search.check_definition(study, first)
    settings = {
        "lr": "0.1",
        "batch": "32",
        "progress": "false",
        "data.root": "elsewhere",
        "name": "new",
    }
    study_search.check_definition(study, {"search": {"settings": settings}, "budget": 5})
    changed = {"search": {"settings": {"lr": "0.2"}}, "budget": 5}
    with pytest.raises(SweepError) as error:
        study_search.check_definition(study, changed)
    assert "batch was 32, is now absent; lr was 0.1, is now 0.2" in str(error.value)


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        (FloatDistribution(0, 1), FloatDistribution(0.2, 3), False),
        (IntDistribution(30, 60), IntDistribution(10, 25), False),
        (CategoricalDistribution((1, 2)), CategoricalDistribution((1, 2)), False),
        (FloatDistribution(0.1, 1), FloatDistribution(0.1, 1, log=True), True),
        (IntDistribution(30, 60), CategoricalDistribution((10, 20)), True),
        (CategoricalDistribution((1, 2)), CategoricalDistribution((1, 3)), True),
    ],
)
def test_a_setting_keeps_its_kind_and_its_choices_within_a_study(before, now, refused):
    study = optuna.create_study(study_name="s")
    study.ask({"x": before})
    with pytest.raises(SweepError) if refused else nullcontext() as error:
        study_search.check_distributions(study, [("x", now), ("y", now)])
    if refused:
        assert str(error.value).startswith(f"error: study 's' drew x from {before} before")


def test_objectives_are_named_once():
    study = optuna.create_study()
    study_store.name_objectives(study, ["val_loss"])
    assert study.metric_names == ["val_loss"]
    study_store.name_objectives(study, ["other"])
    assert study.metric_names == ["val_loss"]


def test_nothing_is_named_where_names_and_directions_differ_in_number():
    study = optuna.create_study(directions=["minimize", "maximize"])
    study_store.name_objectives(study, [])
    study_store.name_objectives(study, ["val_loss"])
    assert study.metric_names is None
