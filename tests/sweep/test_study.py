from contextlib import nullcontext

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.leases import SWEEP
from mnist_sweep.sweep.storage import open_storage


def test_only_launched_trials_that_ended_count(study):
    assert studies.finished(study) == 4
    assert studies.counts(study) == {
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
    assert [studies.status(t) for t in study.trials] == ["complete", "pruned", "failed", "queued"]


def test_a_trial_set_aside_is_asked_for_next_with_its_number_and_its_parameters():
    study = optuna.create_study()
    first = study.ask()
    x = first.suggest_float("x", 0, 1)
    first.storage.set_trial_system_attr(first._trial_id, SWEEP, {})
    studies.set_aside(study, first._trial_id)
    assert studies.status(study.trials[0]) == studies.INTERRUPTED
    again = study.ask()
    assert again.number == 0
    assert again.suggest_float("x", 0, 1) == x


def test_rejections_are_pruned_so_that_tpe_learns_from_them(study):
    rejected = [t for t in study.trials if studies.status(t) == studies.REJECTED]
    assert {t.state for t in rejected} == {TrialState.PRUNED}


def test_a_study_of_another_direction_is_refused(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path}/optuna.db")
    studies.open_study("s", storage, None, NopPruner(), ["maximize"])
    with pytest.raises(SweepError, match="exists with direction maximize, not minimize"):
        studies.open_study("s", storage, None, NopPruner(), ["minimize"])


def test_trials_on_other_data_end_the_sweep():
    study = optuna.create_study(study_name="s")
    studies.check_data(study, {})
    studies.check_data(study, {"data": "mnist_5k", "data_fingerprint": "aa"})
    studies.check_data(study, {"data": "mnist_5k", "data_fingerprint": "aa"})
    with pytest.raises(SweepError, match="is on data aa, but this trial ran on mnist bb"):
        studies.check_data(study, {"data": "mnist", "data_fingerprint": "bb"})


def test_another_search_under_the_same_name_is_refused_with_the_difference():
    study = optuna.create_study(study_name="s")
    first = {"search": {"settings": {"lr": "0.1", "batch": "32", "threads": "1"}}, "budget": 5}
    studies.check_definition(study, first)  # nothing is recorded yet
    studies.record_definition(study, first)
    studies.check_definition(study, first)
    settings = {"lr": "0.1", "batch": "32", "progress": "false", "data.root": "elsewhere"}
    studies.check_definition(study, {"search": {"settings": settings}, "budget": 5})
    changed = {"search": {"settings": {"lr": "0.2"}}, "budget": 5}
    with pytest.raises(SweepError) as error:
        studies.check_definition(study, changed)
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
        studies.check_distributions(study, [("x", now), ("y", now)])
    if refused:
        assert str(error.value).startswith(f"error: study 's' has drawn x from {before} before")
