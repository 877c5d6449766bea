from functools import partial

import optuna
import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.untried import Points, key_of
from mnist_sweep.sweep.trials.tally import Tally

CURRENT = BaseConfig(OmegaConf.create({"hydra": {"runtime": {"choices": {}}}}))


def points(study, arguments, conditional=None):
    return Points(Tally(study), parse_space({}, conditional, arguments), CURRENT)


def run_all(study, arguments, conditional=None, most=50):
    """Every configuration that is given out, in turn, until none is left."""
    left, given = points(study, arguments, conditional), []
    while len(given) < most:
        params = left.untried(left.tried(), seed=len(given))
        if params is None:
            break
        study.enqueue_trial(params)
        trial = study.ask()
        left.space.walk(partial(suggest, trial), CURRENT)
        study.tell(trial, 0.0)
        left.tally.renew()
        given.append(trial.params)
    return given


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (["x=choice(a,b,c)"], 3),
        (["x=choice(a,b,a)"], 2),
        (["x=range(0,4)", "y=choice(true,false)"], 8),
        (["x=range(0,1,step=0.1)"], 10),
        (["x=range(8,0,step=-3)"], 3),
        (["x=tag(log,range(1,6))"], 5),
        (["x=interval(0.5,0.5)", "y=choice(1,'1')"], 2),
        (["x=choice([1,2],[3])"], 2),
        (["x=5"], 1),
    ],
)
def test_a_finite_space_gives_each_configuration_once(arguments, size):
    study = optuna.create_study()
    assert points(study, arguments).left(most=100) == size
    if arguments == ["x=5"]:
        return  # of which a trial has no parameters: it is refused before
    given = run_all(study, arguments)
    assert len(given) == size
    assert len({key_of(params) for params in given}) == size
    assert points(study, arguments).left(most=100) == 0


def test_conditional_settings_are_counted_where_their_condition_holds():
    conditional = {"x": {"a": {"y": "range(0,3)"}, "b": {"z": "choice(1,2)"}}}
    given = run_all(optuna.create_study(), ["x=choice(a,b,c)"], conditional)
    assert len(given) == 3 + 2 + 1
    assert sorted(len(params) for params in given) == [1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("text", ["interval(0,1)", "tag(log,interval(0.1,1))", "range(0,10000000)"])
def test_a_continuum_is_never_exhausted(text):
    study = optuna.create_study()
    given = run_all(study, [f"x={text}", "y=choice(1,2)"], most=20)
    assert len({key_of(params) for params in given}) == 20
    assert points(study, [f"x={text}"]).left(most=7) == 7


def test_a_finite_branch_beside_a_continuum_runs_once():
    conditional = {"x": {"a": {"y": "interval(0,1)"}}}
    given = run_all(optuna.create_study(), ["x=choice(a,b)"], conditional, most=20)
    assert [params["x"] for params in given].count("b") <= 1
    assert len(given) == 20


def test_what_another_process_runs_counts_and_what_waits_does_not():
    study = optuna.create_study()
    study.enqueue_trial({"x": 1})
    assert points(study, ["x=choice(1,2,3)"]).left(most=9) == 3
    study.ask().suggest_categorical("x", (1, 2, 3))
    assert points(study, ["x=choice(1,2,3)"]).left(most=9) == 2


def test_what_the_gate_rejected_unrecorded_is_not_given_out():
    left = points(optuna.create_study(), ["x=choice(1,2)"])
    left.unfit |= {key_of({"x": 1}), key_of({"x": 2})}
    assert left.untried(left.tried(), seed=0) is None


def test_a_step_reached_by_another_sum_is_the_same_configuration():
    assert key_of({"x": 0.1 + 0.2}) == key_of({"x": 0.3})
    assert key_of({"x": 1}) != key_of({"x": "'1'"})
