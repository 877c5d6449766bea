import enum
import math
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_sweep.cli.comments import read_comments
from mnist_sweep.sweep import sweeper
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.settings import Settings, check_settings, check_study_name, take_study_name
from mnist_sweep.sweep.sweeper import BudgetSweeper

WRONG = [
    "",
    ".",
    "..",
    "./",
    "/",
    "/tmp/s",
    "../s",
    "a/..",
    "a/../..",
    "a/../../b",
    "a/./b",
    "a//b",
    "a/",
    "a\\b",
    "a\nb",
    "a\x1b[2J",
    "a\x00",
    "optuna.db",
    "optuna.db-wal",
    "artifacts",
    "a/best",
    "a/0",
    "a/12",
    "a/report",
    "a/workers",
    "a/bundles",
    "a/answer.json",
    "a/multirun.yaml",
    "a/confirmation-mnist",
    "a/optimization_results.yaml",
    "a/.best.1234",
]


@pytest.mark.parametrize("name", [*WRONG, None])
def test_a_name_that_leads_out_of_its_own_directory_is_refused(name):
    with pytest.raises(SweepError, match="must name a directory below multirun/: ") as error:
        check_study_name(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    ["s", "my study", "it's", "a/b", "best", "0", "a/best-lr", "artifacts-2", "a.b", "é", "..a"],
)
def test_any_other_name_will_do(name):
    check_study_name(name)


def config(name, *overrides):
    """What Hydra has of a study's name, and of the command line."""
    hydra = {
        "sweeper": {"study_name": name},
        "overrides": {"hydra": list(overrides)},
        "sweep": {"dir": "multirun/${hydra.sweeper.study_name}"},
    }
    made = OmegaConf.create({"hydra": hydra, "batch_size": 32})
    OmegaConf.set_readonly(made.hydra, True)
    return made


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1.1", 1.1),
        ("1.10", 1.1),
        ("2026_11_25", 20261125),
        ("1e3", 1000.0),
        ("true", True),
        ("TRUE", True),
        ("nan", float("nan")),
    ],
)
@pytest.mark.parametrize("plus", ["", "++"])
def test_a_study_is_called_what_was_typed(typed, read, plus):
    made = config(read, "hydra.verbose=true", f"{plus}hydra.sweeper.study_name={typed}")
    assert take_study_name(made) == typed
    assert made.hydra.sweep.dir == f"multirun/{typed}"
    # What jobs are composed from says so too.
    assert made.hydra.overrides.hydra[1] == f"{plus}hydra.sweeper.study_name='{typed}'"


@pytest.mark.parametrize(
    ("name", "overrides", "called"),
    [
        ("s", ["hydra.sweeper.study_name=s"], "s"),
        ("1.10", ["hydra.sweeper.study_name='1.10'"], "1.10"),
        ("from a file", [], "from a file"),
        (None, [], None),
        (None, ["hydra.sweeper.study_name=null"], None),
        ("${batch_size}", [], "32"),
        ("0007", ["hydra.sweeper.study_name=0007"], "0007"),
    ],
)
def test_a_name_that_is_a_text_stays_what_it_is(name, overrides, called):
    made = config(name, *overrides)
    assert take_study_name(made) == called
    assert list(made.hydra.overrides.hydra) == overrides


@pytest.mark.parametrize("name", [1.1, 20261125, True])
def test_a_number_in_a_file_is_refused_since_its_text_is_lost(name):
    with pytest.raises(
        SweepError,
        match=r"YAML reads hydra.sweeper.study_name as the number .*: write the name in",
    ):
        take_study_name(config(name))


def test_overrides_that_name_other_settings_are_not_resolved():
    made = config(1.1, "hydra.sweeper.study_name=1.10", "hydra.sweep.subdir=d_${hydra.job.num}")
    assert take_study_name(made) == "1.10"


# The file writes them as a user would: nothing there is nothing to search, or to try first.
EMPTY = {"params": ({}, None), "conditional": ({}, None), "enqueue": ([], None)}
CHOSEN = {"sampler", "pruner"}  # by the defaults list, each from a group
STOCK = {
    "sampler",
    "direction",
    "storage",
    "study_name",
    "n_trials",
    "n_jobs",
    "max_failure_rate",
    "custom_search_space",
    "params",
}


def defaults():
    return {
        each.name: each.default if each.default is not MISSING else each.default_factory()
        for each in fields(Settings)
    }


def test_every_setting_is_in_the_config_with_the_default_of_the_schema():
    path = Path(sweeper.__file__).parent / "conf/hydra/sweeper/mnist_sweep.yaml"
    written = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    chosen = {name for line in written.pop("defaults") for name in line if "/" not in name}
    assert chosen == CHOSEN
    assert written.pop("_target_") == f"{BudgetSweeper.__module__}.{BudgetSweeper.__name__}"
    expected = {name: value for name, value in defaults().items() if name not in CHOSEN}
    assert set(written) == set(expected)
    for name, value in written.items():
        assert (value, expected[name]) == EMPTY.get(name, (value, value)), name


def test_the_config_says_of_every_setting_what_it_does():
    path = Path(sweeper.__file__).parent / "conf/hydra/sweeper/mnist_sweep.yaml"
    described = read_comments(path.read_text("utf-8")).settings
    assert set(defaults()) - CHOSEN - set(described) == set()
    assert set(defaults()) > STOCK


def test_the_stock_settings_are_those_of_the_stock_sweeper():
    from hydra_plugins.hydra_optuna_sweeper.config import OptunaSweeperConf

    stock = {each.name for each in fields(OptunaSweeperConf)} - {"_target_", "defaults"}
    assert stock - {"search_space"} == STOCK


def test_no_settings_at_all_are_the_defaults():
    assert vars(check_settings({})) == defaults()


def test_settings_keep_what_they_are_given():
    given = {
        "n_trials": 7,
        "n_jobs": "3",
        "max_failure_rate": 1,
        "timeout": 60,
        "preload": ["torch"],
        "storage": "sqlite:///x.db",
        "default_first": False,
    }
    settings = check_settings(given)
    found = {name: getattr(settings, name) for name in given}
    assert found == given | {"n_jobs": 3}
    assert isinstance(settings.max_failure_rate, float)
    assert check_settings({"preload": None}).preload == []


def test_what_may_be_anything_keeps_its_place_in_the_config():
    whole = OmegaConf.create({"epochs": 7, "pruner": {"max_resource": "${epochs}"}})
    assert check_settings({"pruner": whole.pruner}).pruner.max_resource == 7


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("n_trails", "n_trials"),
        ("max_failure", "max_failure_rate"),
        ("grace_periods", "grace_period"),
        ("conditionals", "conditional"),
        ("sampler_", "sampler"),
    ],
)
def test_an_unknown_setting_is_told_the_nearest_there_is(name, near):
    with pytest.raises(SweepError) as error:
        BudgetSweeper(**{name: 3})
    assert f"hydra.sweeper.{name}: there is no such setting; " in str(error.value)
    assert re.search(rf"\b{near}\b", str(error.value).partition(";")[2])
    assert "\n" not in str(error.value)


BOUNDS = [
    *[(name, 0, "must be at least 1, but got 0") for name in ("n_trials", "n_jobs", "plateau")],
    ("max_rejections", 0, "must be at least 1"),
    ("keep_weights", 0, "must be at least 1"),
    ("resamples", -1, "must be at least 0"),
    ("max_retries", -1, "must be at least 0"),
    *[
        (name, value, "must be greater than 0")
        for name in ("timeout", "trial_timeout", "grace_period", "worker_memory")
        for value in (0, -1.5, math.nan)
    ],
    ("grace_period", math.inf, "must be finite, but got inf"),
    *[
        ("max_failure_rate", value, r"must be in [0, 1], but got")
        for value in (-0.1, 1.1, math.nan)
    ],
]


@pytest.mark.parametrize(("name", "value", "reason"), BOUNDS)
def test_a_value_that_makes_no_sense_is_refused_by_the_settings_name(name, value, reason):
    with pytest.raises(SweepError) as error:
        check_settings({name: value})
    assert f"hydra.sweeper.{name} {reason}" in str(error.value)


def test_every_bound_is_tried_here():
    bounded = {each.name for each in fields(Settings) if any(each.metadata.values())}
    bounded |= {each.name for each in fields(Settings) if each.metadata.get("least") is not None}
    assert bounded | {"max_failure_rate"} == {name for name, *_ in BOUNDS}


@pytest.mark.parametrize(("name", "value"), [("timeout", math.inf), ("resamples", 0)])
def test_a_value_at_its_bound_will_do(name, value):
    assert getattr(check_settings({name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_trials", 1.5), ("n_trials", None), ("gate", ["a"]), ("preload", "torch")],
)
def test_a_value_of_another_type_is_refused_by_the_settings_name(name, value):
    with pytest.raises(SweepError, match=f"hydra.sweeper.{name}") as error:
        check_settings({name: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"direction": None}, "direction must be minimize, maximize, or a list of them"),
        ({"params": "foo"}, "params must map settings, but got 'foo'"),
        ({"conditional": ["x"]}, "conditional must map settings"),
        ({"conditional": {"model": 3}}, "conditional.model must map values to settings"),
        ({"conditional": {"model": {"mlp": 3}}}, "conditional.model.mlp must map settings to"),
    ],
)
def test_a_setting_of_another_shape_is_refused(given, reason):
    with pytest.raises(SweepError, match=f"hydra.sweeper.{reason}"):
        check_settings(given)


def test_a_branch_may_be_empty():
    assert check_settings({"conditional": {"model": None}}).conditional == {"model": None}


class Stock(enum.Enum):
    """As the stock sweeper's config has a direction."""

    maximize = 2


@pytest.mark.parametrize(
    ("direction", "directions"),
    [
        ("maximize", ["maximize"]),
        (Stock.maximize, ["maximize"]),
        (["minimize", Stock.maximize], ["minimize", "maximize"]),
        (OmegaConf.create(["maximize", "minimize"]), ["maximize", "minimize"]),
    ],
)
def test_a_direction_is_what_optuna_calls_it(direction, directions):
    assert check_settings({"direction": direction}).directions == directions


def test_a_target_is_a_finite_value_of_a_single_objective():
    assert check_settings({"target": 0.995}).target == 0.995
    with pytest.raises(SweepError, match="target must be finite, but got nan"):
        check_settings({"target": float("nan")})
    with pytest.raises(SweepError, match=r"target=0\.9 needs a single objective, and there are 2"):
        check_settings({"target": 0.9, "direction": ["maximize", "minimize"]})
