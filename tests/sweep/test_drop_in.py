"""Another application's config, written for the stock sweeper, with ours in its place."""

import sys
from pathlib import Path

import hydra
import optuna
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from omegaconf import OmegaConf

from mnist_sweep.sweep.sweeper import BudgetSweeper

STOCK = """
defaults:
  - _self_
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: {sampler}
hydra:
  sweep: {{dir: out}}
  sweeper:
    sampler: {{{seed}}}
    direction: {direction}
    study_name: sphere
    storage: {storage}
    n_trials: {trials}
    n_jobs: 1
    params:
      x: range(-5.0, 5.0, step=0.5)
      y: choice(-1, 0, 1)
x: 1.0
y: 1
z: 2
fail: false
"""
SAMPLERS = ("tpe", "random", "nsgaii", "nsgaiii", "gp")
# These draw at random first, and are told to do so once.
MODELS = ("tpe", "gp")
# One of the two is all that changes in a config.
GROUP_NAME = ("override hydra/sweeper: optuna", "override hydra/sweeper: mnist_sweep")
TARGET = (
    "    study_name: sphere",
    "    _target_: mnist_sweep.sweep.sweeper.BudgetSweeper\n    study_name: sphere",
)


def widen(config, trial):
    """A custom search space: z depends on x, and w is a key that the config does not have."""
    trial.suggest_float("z", trial.params["x"] - 1, trial.params["x"] + 1)
    trial.suggest_float("+w", 0, 1)


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Return a function that runs an application with a config on a command line."""

    def run(change, *arguments, task=lambda c: c.x**2 + c.y**2 + c.z, config=STOCK, **settings):
        settings = {"sampler": "tpe", "seed": "seed: 1", "direction": "minimize"} | settings
        settings = {"storage": "sqlite:///study.db", "trials": 3} | settings
        config = config.replace("${oc.env", "${{oc.env").replace("SETS_IT}", "SETS_IT}}")
        config = config.format(**settings)
        assert change[0] in config
        (tmp_path / "config.yaml").write_text(config.replace(*change))

        @hydra.main(config_path=str(tmp_path), config_name="config")
        def main(config):
            return task(config)

        launcher = ["hydra/launcher=basic"]  # in this process, so that a task can be a lambda
        monkeypatch.setattr(sys, "argv", ["app.py", "-m", *launcher, *arguments])
        GlobalHydra.instance().clear()
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


def study():
    return optuna.load_study(study_name="sphere", storage="sqlite:///study.db")


def results():
    return OmegaConf.load("out/optimization_results.yaml")


def test_the_sweeper_is_known_to_hydra():
    assert BudgetSweeper in Plugins.instance().discover(Sweeper)


@pytest.mark.parametrize(
    ("change", "sampler"), [(TARGET, "tpe"), *((GROUP_NAME, name) for name in SAMPLERS)]
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_stock_config_needs_only_its_target_or_its_group_name_changed(app, change, sampler):
    seed = "seed: 1, n_startup_trials: 1" if sampler in MODELS else "seed: 1"
    assert app(change, sampler=sampler, seed=seed) == 0
    best = study().best_trial
    assert len(study().trials) == 3
    assert results().name == "optuna"
    assert results().best_value == best.value == best.params["x"] ** 2 + best.params["y"] ** 2 + 2
    assert results().best_params == best.params
    # The config's own values come first, and a run's directory has its trial's number.
    assert study().trials[0].params == {"x": 1.0, "y": 1}
    assert {int(p.name) for p in Path("out").iterdir() if p.name.isdigit()} == set(range(3))


def test_the_config_is_first_only_unless_told_otherwise(app):
    assert app(GROUP_NAME, "+hydra.sweeper.default_first=false") == 1  # it is there: no plus
    assert app(GROUP_NAME, "hydra.sweeper.default_first=false", "hydra.sweeper.n_trials=1") == 0
    assert study().trials[0].params != {"x": 1.0, "y": 1}


def test_the_command_line_fixes_and_replaces(app):
    assert app(GROUP_NAME, "y=0", "x=choice(0, 1, 2)", "~fail", "+new=3") == 0
    assert {tuple(t.params) for t in study().trials} == {("x",)}
    overrides = OmegaConf.load("out/0/.hydra/overrides.yaml")
    assert set(overrides) == {"x=1", "y=0", "~fail", "+new=3"}


def test_settings_without_a_value_of_their_own_are_searched_too(app):
    """From the config's `params`: missing, from the environment, and added by a plus."""
    ours = STOCK.replace("x: 1.0", "x: ???").replace("y: 1\n", "y: ${oc.env:NOBODY_SETS_IT}\n")
    ours = ours.replace("choice(-1, 0, 1)", "choice(-1, 0, 1)\n      +new: range(1, 4)")
    outcome = app(GROUP_NAME, config=ours, task=lambda c: c.x + c.y + c.new)
    assert outcome == 0
    for trial in study().trials:
        assert set(trial.params) == {"x", "y", "+new"}
        assert trial.value == sum(trial.params.values())


def test_a_job_that_exits_in_the_sweeps_own_process_fails_and_the_sweep_goes_on(app):
    def task(config):
        if config.x < 0:
            sys.exit(4)
        return config.x

    assert app(GROUP_NAME, "hydra.sweeper.max_failure_rate=1", task=task) == 0
    for trial in study().trials:
        failed = trial.params["x"] < 0
        assert trial.state.name == ("FAIL" if failed else "COMPLETE")
        if failed:
            assert trial.user_attrs["reason"] == "the job exited with code 4"


def test_a_grid_runs_each_of_its_points_once(app):
    points = ["x=choice(-1)", "y=-1,0", "z=range(1, 3)"]
    assert app(GROUP_NAME, *points, "hydra.sweeper.n_trials=100", sampler="grid", seed="") == 0
    found = [tuple(t.params[n] for n in "xyz") for t in study().trials]
    assert len(found) == len(set(found)) == 4
    assert results().best_value == 2


def test_several_directions_give_a_front(app):
    outcome = app(
        GROUP_NAME,
        direction="[minimize, maximize]",
        sampler="random",
        task=lambda c: (c.x**2, c.x + c.y),
    )
    assert outcome == 0
    front = [s["values"] for s in results().solutions]
    assert front
    for a in front:
        assert not any(b[0] <= a[0] and b[1] >= a[1] and b != a for b in front)


# Hydra warns of any target that no whitelist names; an application's own are its own.
@pytest.mark.filterwarnings(r"ignore:[\s\S]*execution_whitelist")
def test_a_custom_search_space_adds_what_depends_on_the_rest(app):
    custom = f"hydra.sweeper.custom_search_space={__name__}.widen"
    assert app(GROUP_NAME, custom, task=lambda c: c.z + c.w) == 0
    for trial in study().trials:
        assert abs(trial.params["z"] - trial.params["x"]) <= 1
        assert 0 <= trial.params["+w"] <= 1
        assert trial.value == trial.params["z"] + trial.params["+w"]


def notes_fixed(config, trial):
    """A custom search space that looks at what is fixed."""
    trial.suggest_float("+w", 0, float(trial.user_attrs["y"]))


def suggests_fixed(config, trial):
    """A custom search space that suggests what the command line may fix."""
    trial.suggest_float("y", 0, 1)


@pytest.mark.filterwarnings(r"ignore:[\s\S]*execution_whitelist")
def test_a_custom_search_space_sees_what_is_fixed_among_the_user_attributes(app):
    custom = f"hydra.sweeper.custom_search_space={__name__}.notes_fixed"
    assert app(GROUP_NAME, custom, "y=3", task=lambda c: c.y + c.w) == 0
    for trial in study().trials:
        assert trial.user_attrs["y"] == "3"
        assert "y" not in trial.params
        assert trial.value == 3 + trial.params["+w"]


@pytest.mark.filterwarnings(r"ignore:[\s\S]*execution_whitelist")
@pytest.mark.parametrize("line", ["y=3", "++y=3"])
def test_what_is_fixed_cannot_be_suggested_too(app, capfd, line):
    custom = f"hydra.sweeper.custom_search_space={__name__}.suggests_fixed"
    assert app(GROUP_NAME, custom, line) == 1
    assert f"suggests y, which is fixed to {line.lstrip('+')}" in capfd.readouterr().err
    assert not optuna.get_all_study_names("sqlite:///study.db")  # it could not start


def test_another_applications_configurations_may_be_tried_again(app):
    # Its jobs need not answer twice alike; the stock sweeper runs them as often as it is told.
    assert app(GROUP_NAME, "x=choice(1,2)", "y=1", "z=1") == 0
    assert len(study().trials) == 3


@pytest.mark.parametrize(("rate", "code", "trials"), [(0.0, 1, 1), (0.5, 1, 2), (1.0, 0, 3)])
def test_the_failure_rate_is_of_all_trials(app, capfd, rate, code, trials):
    def task(config):
        raise RuntimeError("it is asked to")

    assert app(GROUP_NAME, f"hydra.sweeper.max_failure_rate={rate}", task=task) == code
    assert len(study().trials) == trials
    assert ("RuntimeError: it is asked to" in capfd.readouterr().err) == bool(code)
    assert results().best_value is None


@pytest.mark.parametrize("bad", [None, float("nan"), "nothing", [1.0, 2.0]], ids=str)
def test_a_bad_value_is_one_failed_trial_and_ends_no_sweep(app, capfd, bad):
    """With max_failure_rate=0 too, as under the stock sweeper."""
    assert app(GROUP_NAME, task=lambda c: bad if c.x < 0 else c.x) == 0
    assert len(study().trials) == 3
    failed = [trial for trial in study().trials if trial.params["x"] < 0]
    assert failed
    for trial in study().trials:
        assert trial.state.name == ("FAIL" if trial in failed else "COMPLETE")
    assert capfd.readouterr().out.count(" failed: ") == len(failed)
    assert results().best_value >= 0


def test_where_every_value_is_bad_the_sweep_says_that_there_is_no_best_one(app, capfd):
    assert app(GROUP_NAME, task=lambda c: None) == 0
    assert [trial.state.name for trial in study().trials] == ["FAIL"] * 3
    printed = capfd.readouterr().out
    assert "trial 0 failed: the job returned None, not a float" in printed
    assert "no trial is complete and feasible, so there is no best one" in printed


@pytest.mark.parametrize("sign", [1, -1])
def test_infinity_is_a_complete_trials_value(app, sign):
    infinite = sign * float("inf")
    assert app(GROUP_NAME, task=lambda c: infinite if c.x < 0 else c.x) == 0
    values = {trial.value for trial in study().trials}
    assert {trial.state.name for trial in study().trials} == {"COMPLETE"}
    assert infinite in values
    assert results().best_value == min(values)


def test_a_job_that_asks_its_process_to_end_by_an_exception_of_its_own_is_a_failed_trial(app):
    class Stop(BaseException):
        pass

    def task(config):
        if config.x < 0:
            raise Stop("enough")
        return config.x

    assert app(GROUP_NAME, "hydra.sweeper.max_failure_rate=1", task=task) == 0
    reasons = {t.user_attrs["reason"] for t in study().trials if t.params["x"] < 0}
    assert reasons == {"the job raised Stop: enough"}


def test_a_study_in_memory_works_and_is_not_pruned(app, capfd):
    assert app(GROUP_NAME, storage="null") == 0
    assert results().best_value is not None
    assert "pruner: off, since hydra.sweeper.storage=null" in capfd.readouterr().out


def test_jobs_may_change_their_working_directory(app):
    assert app(GROUP_NAME, "hydra.job.chdir=true") == 0
    assert len(study().trials) == 3


def test_a_study_of_the_stock_sweeper_goes_on(app):
    nothing = ("study_name: sphere", "study_name: sphere")
    assert app(nothing) == 0
    assert app(GROUP_NAME, trials=5) == 0
    assert len(study().trials) == 5


def test_an_application_that_names_its_trials_searches_settings_called_as_this_projects(app):
    """`keep` and `data` are not what they are here, and the same answer may be asked for again."""
    config = STOCK.replace(
        "x: 1.0", "x: 1.0\nstudy: null\ntrial: null\nkeep: 0.5\ndata: {{window: 3}}"
    )
    searched = ["keep=interval(0.1,0.9)", "data.window=range(1,9)"]
    own = ["hydra.sweep.dir=out"]
    assert app(GROUP_NAME, *searched, *own, config=config, task=lambda c: c.keep) == 0
    assert {"keep", "data.window"} <= study().best_params.keys()
