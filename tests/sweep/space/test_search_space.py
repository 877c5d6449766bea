from functools import partial

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.values import override_value

PARAMS = {"lr": "tag(log, interval(0.001, 0.1))", "schedule": "choice(a, b)", "seed": 3}
CONDITIONAL = {"schedule": {"a": {"factor": "interval(0.1, 0.7)"}, "b": {"floor": "choice(0, 1)"}}}


def current(choices=None, **values):
    """A composed config with these choices of groups."""
    return BaseConfig(
        OmegaConf.create({**values, "hydra": {"runtime": {"choices": choices or {}}}})
    )


def launched(space, choices=None, **params):
    """What a trial with these parameters is launched with, as a mapping."""
    study = optuna.create_study()
    study.enqueue_trial(params)
    overrides = space.walk(partial(suggest, study.ask()), current(choices))
    return dict(override.split("=") for override in overrides)


def test_sweeps_become_distributions_and_values_stay_fixed():
    space = parse_space(PARAMS, None, ["width=range(2,5)", "dropout=0.1"])
    assert space.settings == {
        "lr": FloatDistribution(0.001, 0.1, log=True),
        "schedule": CategoricalDistribution(("a", "b")),
        "seed": "3",
        "width": IntDistribution(2, 4),
        "dropout": "0.1",
    }
    assert space.searched().keys() == {"lr", "schedule", "width"}


def test_the_command_line_wins_both_ways():
    space = parse_space(PARAMS, None, ["lr=0.5", "seed=choice(1,2)"])
    assert space.settings["lr"] == "0.5"
    assert space.settings["seed"] == CategoricalDistribution((1, 2))


def test_a_conditional_setting_exists_only_under_its_condition():
    space = parse_space(PARAMS, CONDITIONAL, [])
    assert launched(space, schedule="a", factor=0.5, lr=0.01) == {
        "lr": "0.01",
        "schedule": "a",
        "seed": "3",
        "factor": "0.5",
    }
    assert launched(space, schedule="b", floor=1, lr=0.01).keys() == {
        "lr",
        "schedule",
        "seed",
        "floor",
    }


def test_a_condition_holds_for_a_fixed_value_and_for_the_configs_own_choice():
    fixed = parse_space(PARAMS, CONDITIONAL, ["schedule=b"])
    assert "floor" in launched(fixed)
    chosen = parse_space({}, CONDITIONAL, [])
    assert launched(chosen, {"schedule": "a"}).keys() == {"factor"}
    assert launched(chosen, {"schedule": "other"}) == {}


def test_a_conditional_setting_fixed_on_the_command_line_keeps_its_condition():
    space = parse_space(PARAMS, CONDITIONAL, ["factor=0.33"])
    assert launched(space, schedule="a")["factor"] == "0.33"
    assert "factor" not in launched(space, schedule="b")


def test_what_is_said_of_a_conditional_setting_holds_outright_beside_every_branch():
    conditional = {"schedule": {"a": {"factor": "interval(0.1, 0.7)"}}}
    fixed = parse_space(PARAMS, conditional, ["schedule=other", "factor=0.9"])
    assert launched(fixed)["factor"] == "0.9"
    searched = parse_space(PARAMS, conditional, ["schedule=other", "factor=interval(0.5,0.9)"])
    assert "factor" in searched.searched()


@pytest.mark.parametrize("plus", ["+", "++"])
def test_an_appended_setting_is_the_same_setting(plus):
    space = parse_space(PARAMS, CONDITIONAL, [f"{plus}lr=0.5", f"{plus}floor=0", "schedule=b"])
    assert launched(space) == {f"{plus}lr": "0.5", "schedule": "b", "seed": "3", "floor": "0"}


def test_settings_that_the_config_lacks_are_dropped_unless_the_user_said_them():
    space = parse_space(PARAMS, None, ["width=interval(0,1)"])
    assert space.without_missing(lambda name: name == "schedule") == ["lr"]
    assert space.searched().keys() == {"schedule", "width"}


def test_deletions_are_passed_on():
    space = parse_space({}, None, ["~tracking"])
    study = optuna.create_study()
    assert space.walk(partial(suggest, study.ask()), current()) == ["~tracking"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (False, "false"), (0.1, "0.1"), (7, "7"), ("adam", "adam")],
)
def test_values_are_written_in_hydras_grammar(value, text):
    assert override_value(value) == text


@pytest.mark.parametrize(
    "line", ["lr=interval(0.1", "lr=range(5,5)", "lr=interval(2,1)", "lr=tag(log, interval(0, 1))"]
)
def test_a_space_that_cannot_be_read_is_named(line):
    with pytest.raises(SweepError, match="the search space's lr=") as error:
        parse_space({}, None, [line])
    assert "\n" not in str(error.value)


def test_the_description_is_the_same_whatever_the_order():
    first = parse_space(PARAMS, CONDITIONAL, ["x=1"])
    second = parse_space(dict(reversed(PARAMS.items())), CONDITIONAL, ["x=1"])
    assert first.describe() == second.describe()
    assert first.describe() != parse_space(PARAMS, CONDITIONAL, ["x=2"]).describe()
