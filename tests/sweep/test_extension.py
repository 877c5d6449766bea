"""Which changes of a space keep a study's trials."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mnist_sweep.sweep import study_search
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.extension import EXTENSIONS, Difference, extend, history_of
from mnist_sweep.sweep.trials.leases import SWEEP
from mnist_sweep.sweep.trials.records import TrialRecords

LOW = FloatDistribution(0.1, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (LOW, FloatDistribution(0.05, 2.0), True),
        (IntDistribution(1, 9), IntDistribution(3, 4), True),
        (FloatDistribution(1e-5, 0.1, log=True), FloatDistribution(1e-3, 0.1, log=True), True),
        (LOW, FloatDistribution(0.1, 1.0, log=True), False),
        (IntDistribution(1, 9), IntDistribution(1, 9, step=2), False),
        (IntDistribution(1, 9), FloatDistribution(1, 9), False),
        (CategoricalDistribution((1, 2)), CategoricalDistribution((1, 3)), False),
        (LOW, "0.5", False),
        (LOW, "absent", False),
    ],
    ids=str,
)
def test_only_the_ends_of_a_range_may_move(before, after, moves):
    assert Difference("x", "x", str(before), str(after)).is_range is moves


def definition(**settings):
    return {"search": {"settings": {n: str(d) for n, d in settings.items()}}, "budget": 5}


def study_of(*values):
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage)
    for value in values:
        study.enqueue_trial({"x": value})
        trial = study.ask({"x": LOW})
        TrialRecords(study, storage).mark(trial.number, SWEEP, "launched")
        study.tell(trial, value)
    study_search.Claim(study, definition(x=LOW, seed="0")).record()
    return study


def test_trials_inside_and_outside_are_counted_and_the_change_is_recorded():
    study, narrow = study_of(0.2, 0.5, 0.9), FloatDistribution(0.4, 1.0)
    moved = study_search.check_definition(study, definition(x=narrow, seed="0"))
    said = extend(study, moved, [("x", narrow), ("y", LOW)])
    assert said.startswith(
        "the study's space has changed: x was 0.1 to 1.0, is now 0.4 to 1.0; 3 launched "
        "trials, 2 inside; the 1 outside stay in the study"
    )
    assert study.user_attrs[EXTENSIONS] == [
        {"from_trial": 3, "changes": {"x": ["0.1 to 1.0", "0.4 to 1.0"]}}
    ]
    assert history_of(study) == ["from trial 3 on: x 0.4 to 1.0, before 0.1 to 1.0"]


def test_a_value_that_some_condition_allows_is_inside():
    study, wide = study_of(0.2), FloatDistribution(0.1, 3.0)
    moved = [Difference("conditional.a.b.x", "x", str(LOW), str(wide))]
    said = extend(study, moved, [("x", FloatDistribution(0.5, 1.0)), ("x", wide)])
    assert said.endswith("; 1 launched trial, 1 inside")


def test_nothing_is_recorded_where_nothing_was_moved():
    study = study_of(0.2)
    assert study_search.check_definition(study, definition(x=LOW, seed="0")) == []
    assert extend(study, [], [("x", LOW)]) is None
    assert history_of(study) == []


def test_another_change_beside_a_moved_range_is_refused_by_itself():
    study, wide = study_of(0.2), FloatDistribution(0.1, 3.0)
    with pytest.raises(SweepError) as error:
        study_search.check_definition(study, definition(x=wide, seed="1"))
    assert "another search: seed was 0, is now 1. Undo that" in str(error.value)


def test_a_grids_range_may_not_move():
    study, wide = study_of(0.2), FloatDistribution(0.1, 3.0)
    with pytest.raises(SweepError, match=r"x was 0\.1 to 1\.0, is now 0\.1 to 3\.0"):
        study_search.check_definition(study, definition(x=wide, seed="0"), may_move=False)


def test_a_history_of_another_program_is_no_reason_to_fail():
    study = optuna.create_study()
    study.set_user_attr(EXTENSIONS, [{"changes": 3}, "x"])
    assert history_of(study) == []
