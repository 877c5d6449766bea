"""Private names of Optuna, Hydra and torch: where they are used, and that they are as expected."""

import ast
import inspect
from pathlib import Path

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.sweeper import Sweeper
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState

import mnist_sweep
from mnist_sweep import private_names
from mnist_sweep.sweep.trials.records import TrialRecords

PACKAGE = Path(mnist_sweep.__file__).parent
FOREIGN = ("hydra", "hydra_plugins", "omegaconf", "optuna", "optuna_dashboard", "torch", "mlflow")
# What Python's standard library has under such a name.
STANDARD = {"os._exit"}


def own_names(tree):
    """What a module of ours defines or keeps with an underscore: functions, classes, attributes."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def found_in(path):
    """Attributes and imports with an underscore that are not the module's own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = own_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            written = ast.unparse(node)
            if not node.attr.startswith("__") and node.attr not in own | {"_"}:
                yield written
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = [*node.module.split("."), *(name.name for name in node.names)]
            if parts[0] in FOREIGN and any(p.startswith("_") for p in parts):
                yield f"from {node.module}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            first, *rest = node.value.split(".")
            if first in FOREIGN and any(part.startswith("_") for part in rest) and rest:
                yield node.value


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "private_names.py"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_other_module_uses_a_private_name_of_a_library(path):
    assert set(found_in(path)) - STANDARD == set(), "list it in private_names.py, with its reason"


def test_what_is_enqueued_is_where_the_sampler_looks_for_it():
    study = optuna.create_study()
    study.enqueue_trial({"x": 0.25})
    trial = study.get_trials(states=(TrialState.WAITING,))[0]
    assert trial.system_attrs[private_names.FIXED_PARAMS] == {"x": 0.25}


def test_a_grids_point_is_named_where_it_is_looked_for():
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"x": [0, 1]}))
    for _ in range(2):
        study.ask()
    found = {trial.system_attrs[private_names.GRID_ID] for trial in study.get_trials()}
    assert found == {0, 1}


def test_the_stock_sweepers_functions_are_where_its_configs_name_them():
    module = __import__(private_names.STOCK_SAMPLERS, fromlist=["_"])
    for name in ("create_nsgaii_sampler", "create_nsgaiii_sampler"):
        assert callable(getattr(module, name))


def test_hydras_basic_sweeper_is_a_sweeper_that_launches_batches():
    assert issubclass(private_names.BasicSweeper, Sweeper)
    given = inspect.signature(private_names.BasicSweeper.setup).parameters
    assert {"hydra_context", "task_function", "config"} <= given.keys()


def test_the_stock_sweepers_distribution_of_a_range_is_to_be_had():
    override = OverridesParser.create().parse_override("x=range(1,9,2)")
    found = private_names.stock_distribution(override, override.value())
    assert found == IntDistribution(1, 7, step=2)


def test_an_override_takes_another_value():
    override = OverridesParser.create().parse_override("x=1")
    other = private_names.with_value(override, 2.5, "x=2.5")
    assert (other.value(), other.input_line, other.key_or_group) == (2.5, "x=2.5", "x")
    assert override.value() == 1


def test_hydras_own_options_are_known():
    given = private_names.options_parser().parse_intermixed_args(
        ["-m", "--config-name", "c", "x=1"]
    )
    assert (given.multirun, given.config_name, given.overrides) == (True, "c", ["x=1"])


def test_hydras_commands_run_through_what_is_put_around_them():
    from hydra._internal import utils

    seen = []
    before = utils.run_and_report
    with private_names.reporting_through(lambda call: seen.append(call())):
        utils.run_and_report(lambda: "ran")
    assert seen == ["ran"]
    assert utils.run_and_report is before


def test_a_running_trial_can_be_had_to_wait_and_is_asked_for_again():
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    TrialRecords(study, storage).wait(trial.number)
    again = study.ask()
    assert (again.number, again.params) == (trial.number, trial.params)
    assert again.distributions == {"x": FloatDistribution(0, 1)}
