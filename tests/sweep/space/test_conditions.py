import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.conditions import check_conditions, check_searches
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.search_space import UNKNOWN

GROUPS = {
    "scheduler": ["constant", "cosine", "four_phase"],
    "model": ["linear", "mlp", "wide"],
}
MODELS = {"linear": {}, "mlp": {"hidden": 5}, "wide": {"width": 1.0, "hidden": None}}


class Compositions:
    """A composer of two groups: models have settings of their own."""

    def is_group(self, name):
        return name in GROUPS

    def options(self, group):
        return GROUPS.get(group, [])

    def base(self, groups):
        chosen = dict(line.split("=") for line in groups)
        return config(model=chosen.get("model", "wide")), None


def config(model="wide", **values):
    choices = {"scheduler": "cosine", "model": model}
    plain = {"nesterov": True, "lr": 0.1, "decay": 0.0, "stages": [1, 2], "none": None, **values}
    plain |= {"model": MODELS[model], "scheduler": {"floor": 0.1}}
    return OmegaConf.create({**plain, "hydra": {"runtime": {"choices": choices}}})


def current(**values):
    return BaseConfig(config(**values), Compositions())


def space(conditional, *arguments, params=None, **values):
    return parse_space(params or {}, conditional, arguments, current(**values))


def searched(space, given=None):
    """The names that a trial with these parameters chooses."""
    names = []

    def choose(name, distribution):
        names.append(name)
        return (given or {}).get(name, UNKNOWN)

    space.walk(choose, current())
    return names


INNER = {"x": "interval(0,1)"}


@pytest.mark.parametrize(
    ("conditional", "arguments", "holds"),
    [
        ({"nesterov": {True: INNER}}, [], True),  # the composed value
        ({"nesterov": {"true": INNER}}, [], True),
        ({"nesterov": {False: INNER}}, [], False),
        ({"nesterov": {1: INNER}}, [], False),
        ({"nesterov": {True: INNER}}, ["nesterov=true"], True),
        ({"nesterov": {True: INNER}}, ["nesterov=false"], False),
        ({"nesterov": {True: INNER}}, ["+nesterov=True"], True),
        ({"decay": {0: INNER}}, [], True),
        ({"decay": {0.0: INNER}}, ["decay=0"], True),
        ({"decay": {"0": INNER}}, ["decay=0.0"], True),
        ({"decay": {"0": INNER}}, ["decay='0'"], True),
        ({"decay": {0: INNER}}, ["decay='0'"], False),
        ({"stages": {"[1,2]": INNER}}, [], True),
        ({"stages": {"[1, 2]": INNER}}, ["stages=[1,2.0]"], True),
        ({"none": {"null": INNER}}, [], True),
        ({"none": {"null": INNER}}, ["none='null'"], True),
        ({"lr": {0.001: INNER}}, ["lr=1e-3"], True),
        ({"scheduler": {"cosine": INNER}}, [], True),
        ({"scheduler": {"constant": INNER}}, [], False),
        ({"scheduler": {"constant": INNER}}, ["scheduler=constant"], True),
        ({"decay": {0.5: INNER}}, ["decay=${lr}"], False),
        ({"decay": {0.0: INNER}}, ["decay=${lr}"], True),  # what the config says it is
        ({"nowhere": {1: INNER}}, [], False),
    ],
)
def test_a_condition_on_what_is_fixed_compares_values(conditional, arguments, holds):
    made = space(conditional, *arguments)
    assert searched(made) == (["x"] if holds else [])
    notes = check_conditions(made, current())
    assert bool(notes) is not holds
    if holds:
        check_searches(made, notes, current())
        return
    with pytest.raises(SweepError, match=r"nothing is searched \(not searched: x \(only with"):
        check_searches(made, notes, current())


@pytest.mark.parametrize(
    ("conditional", "argument", "value"),
    [
        ({"decay": {0: INNER, 0.01: {}}}, "decay=choice(0.0,1e-2)", 0.0),
        ({"nesterov": {"true": INNER}}, "nesterov=choice(true,false)", True),
        ({"s": {"null": INNER}}, "s=null,5", "null"),
        ({"s": {"1": INNER}}, "s=choice('1',2)", "'1'"),
        ({"s": {"[1,2]": INNER}}, "s=choice([1,2],[3])", "[1,2]"),
        ({"s": {3: INNER}}, "s=range(0,5)", 3),
        ({"scheduler": {"constant": INNER}}, "scheduler=choice(constant,cosine)", "constant"),
    ],
)
def test_a_condition_on_what_is_searched_compares_values(conditional, argument, value):
    made = space(conditional, argument)
    assert check_conditions(made, current()) == []
    name = argument.partition("=")[0]
    assert searched(made, {name: value}) == [name, "x"]


@pytest.mark.parametrize(
    ("conditional", "argument", "named"),
    [
        ({"scheduler": {"cosin": INNER}}, "scheduler=choice(cosine,constant)", "constant, cosine"),
        ({"scheduler": {"cosin": INNER}}, "y=choice(1,2)", "scheduler has no such option"),
        ({"s": {"adamm": INNER}}, "s=choice(adam,sgd)", "s has no such value"),
        ({"s": {1: INNER}}, "s=choice('1','2')", "s has no such value"),
        ({"s": {1: INNER}}, "s=choice(true,false)", "s has no such value"),
        ({"s": {9: INNER}}, "s=range(0,5)", "s has no such value"),
    ],
)
def test_a_branch_that_cannot_occur_is_refused(conditional, argument, named):
    with pytest.raises(SweepError, match="cannot occur") as error:
        check_conditions(space(conditional, argument), current())
    assert named in str(error.value)


def test_a_choice_that_the_command_line_narrows_leaves_branches_out_and_says_so():
    conditional = {"s": {"a": INNER, "b": {"y": "interval(0,1)"}}}
    made = space(conditional, "s=choice(a,c)", params={"s": "choice(a,b)"})
    assert check_conditions(made, current()) == ["y (only with s=b; s is one of a, c)"]


def test_conditions_on_conditional_settings_hold_in_whatever_order_they_are_written():
    conditional = {"b": {1: INNER}, "a": {True: {"b": "choice(1,2)"}}}
    made = space(conditional, "a=choice(true,false)")
    assert searched(made, {"a": True, "b": 1}) == ["a", "b", "x"]
    assert searched(made, {"a": False}) == ["a"]
    with pytest.raises(SweepError, match="depend on each other in a circle"):
        space({"b": {1: {"a": "choice(1,2)"}}, "a": {1: {"b": "choice(1,2)"}}})


@pytest.mark.parametrize(
    ("model", "names"),
    [("linear", []), ("mlp", ["model.hidden"]), ("wide", ["model.width", "model.hidden"])],
)
def test_a_setting_is_searched_where_the_chosen_group_has_it(model, names):
    made = space(
        {},
        "model=choice(linear,mlp,wide)",
        "model.width=interval(0,1)",
        "model.hidden=range(1,5)",
        "lr=interval(0,1)",
    )
    made.find_varying(current())
    assert searched(made, {"model": model}) == ["model", *names, "lr"]


def test_what_is_fixed_or_deleted_is_left_out_likewise():
    made = space({}, "model=choice(linear,wide)", "model.width=0.5", "~model.hidden", "lr=1")
    made.find_varying(current())
    walk = {m: made.walk(lambda n, d, m=m: m, current()) for m in ("linear", "wide")}
    assert walk["linear"] == ["model=linear", "lr=1"]
    assert walk["wide"] == ["model=wide", "model.width=0.5", "lr=1", "~model.hidden"]


def test_a_setting_that_no_option_has_is_left_to_hydra_to_refuse():
    made = space({}, "model=choice(linear,wide)", "model.widht=interval(0,1)")
    made.find_varying(current())
    assert searched(made, {"model": "wide"}) == ["model", "model.widht"]


def test_a_searched_setting_whose_option_brings_it_is_not_missing():
    made = space({}, "model=choice(linear,wide)", params={"model.width": "interval(0,1)"})
    made.find_varying(current(model="linear"))
    assert made.without_missing(current(model="linear").is_setting) == []
    made = space({}, "model=linear", params={"model.width": "interval(0,1)"})
    assert made.without_missing(current(model="linear").is_setting) == ["model.width"]
