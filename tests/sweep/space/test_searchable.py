from typing import ClassVar

import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.searchable import check_name, check_space


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("objective", "different objectives"),
        ("data", "different images"),
        ("data.split_seed", "different images"),
        ("+data.split_seed", "different images"),
        ("++data.validation", "different images"),
        ("data.name", "different images"),
        ("data.root", "different images"),
        ("data@data", "different images"),
        ("budget.max_parameters", "different budgets"),
        ("keep.monitor", "different epochs' weights"),
        ("keep", "different epochs' weights"),
        ("trial", "the sweep sets it"),
        ("study", "the sweep sets it"),
        ("resume", "single run"),
        ("search", "what is searched"),
        ("hydra.sweeper.n_trials", "a setting of the sweep itself"),
        ("hydra/launcher", "a setting of the sweep itself"),
        ("tracking", "does not change what"),
        ("tracking.figures", "does not change what"),
        ("threads", "does not change what"),
        ("device", "does not change what"),
        ("cuda_graph", "does not change what"),
        ("dry_run", "does not change what"),
    ],
)
def test_what_makes_trials_incomparable_must_not_be_searched(name, reason):
    with pytest.raises(SweepError, match="must not be searched") as error:
        check_name(name)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "data.augmentation.rotation",
        "data.augmentation",
        "data.mean",
        "batch_size",
        "epochs",
        "seed",
        "model",
        "optimizer.lr",
        "early_stopping.patience",
        "precision",
        "database.size",
        "objectives",
    ],
)
def test_what_may_be_searched(name):
    check_name(name)


@pytest.mark.parametrize("line", ["trial=5", "study=x", "+study=x"])
def test_what_the_sweep_sets_cannot_be_fixed_either(line):
    current = BaseConfig(OmegaConf.create({"hydra": {"runtime": {"choices": {}}}}))
    with pytest.raises(SweepError, match="the sweep sets it; leave it out"):
        check_space(parse_space({}, None, [line]), current)


class Experiments:
    """A composer of one group, whose options set more than one thing."""

    SETS: ClassVar = {
        "small": {"lr": 1.0},
        "lifted": {"budget": None},
        "split": {"data": {"split_seed": 1}},
    }

    def is_group(self, name):
        return name == "experiment"

    def base(self, groups):
        (option,) = [line.partition("=")[2] for line in groups]
        return OmegaConf.merge(CONFIG, self.SETS[option]), None


CONFIG = OmegaConf.create(
    {
        "budget": 5,
        "data": {"split_seed": 0, "root": "data"},
        "lr": 0.5,
        "hydra": {"runtime": {"choices": {"experiment": None}}},
    }
)


def refusal_of(space):
    """What is said of a space; None where it is taken."""
    try:
        check_space(space, BaseConfig(CONFIG, Experiments()))
    except SweepError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("small,small", None),
        ("small,lifted", "experiment=lifted sets budget=None, where the sweep has 5"),
        ("split,small", "experiment=split sets data.split_seed=1, where the sweep has 0"),
    ],
)
def test_an_option_that_sets_what_must_not_be_searched_is_refused(options, named):
    space = parse_space({}, None, [f"experiment={options}"])
    assert (named or "None") in str(refusal_of(space))


def test_an_option_may_set_what_the_command_line_fixes_for_all():
    space = parse_space({}, None, ["experiment=small,lifted", "budget=5"])
    check_space(space, BaseConfig(CONFIG, Experiments()))


@pytest.mark.parametrize(
    ("name", "inner", "said"),
    [
        (
            "data.split_seed",
            "3",
            "data.split_seed must not be searched: trials on different images",
        ),
        ("budget", "7", "budget must not be searched"),
        ("experiment", "lifted", "experiment=lifted sets budget=None, where the sweep has 5"),
        ("lr", "0.1", None),
    ],
)
def test_what_has_one_value_under_a_condition_must_not_make_trials_incomparable(name, inner, said):
    space = parse_space({}, None, ["seed=1,2"])
    space.conditional["seed"] = {1: {name: inner}}
    assert (said or "None") in str(refusal_of(space))
