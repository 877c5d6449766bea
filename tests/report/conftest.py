"""Studies to report on, in a database: an empty one, one in which nothing fits, a usual one."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from mnist_sweep.confirm.conclusion import Comparison, Conclusion, Standing
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.trials.status import STATES, TrialStatus
from tests.conftest import open_database

ADDRESS = "sqlite:///studies.db"
SPACE = {
    "optimizer.lr": FloatDistribution(0.001, 0.1, log=True),
    "model.width": FloatDistribution(0.5, 1.5),
    "batch_size": CategoricalDistribution([16, 32]),
}


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def create(name, directions=("maximize",), objective="val_acc", storage=None, budget=True):
    storage = storage or open_database(ADDRESS)
    study = optuna.create_study(study_name=name, storage=storage, directions=list(directions))
    settings = {"data": "mnist_5k", "optimizer.lr": "drawn"}
    definition = {
        "search": {"settings": settings, "conditional": {}},
        "budget": {"max_parameters": 19_999} if budget else {},
        "objective": objective,
    }
    study.set_user_attr(study_search.DEFINITION, definition)
    return study


def add(study, status, values=None, curve=(), lr=0.01, width=1.0, excess=-100.0, **attributes):
    """A trial that came to something."""
    study.enqueue_trial({"optimizer.lr": lr, "model.width": width, "batch_size": 32})
    trial = study.ask(SPACE)
    trial.set_constraint("parameters", excess)
    if status != TrialStatus.REJECTED:
        trial.set_user_attr("status", status)
    for name, attribute in attributes.items():
        trial.set_user_attr(name, attribute)
    for epoch, value in enumerate(curve, start=1):
        trial.report(value, epoch)
    study.tell(trial, values, STATES[status])


def ran(number, epochs=4, parameters=15_000, **more):
    """What a launched trial has recorded."""
    return {
        "run_directory": f"multirun/usual/{number}",
        "parameters": parameters,
        study_store.DATA: "abc",
        "epochs": epochs,
        "max_epochs": 4,
        "seconds": 30.0,
        "overrides": ["data=mnist_5k", f"seed={number}", "run='a b'"],
        **more,
    }


def create_usual():
    """Six trials that ran, one of them pruned and one failed; two rejected; one that runs."""
    study = create("usual")
    add(study, TrialStatus.COMPLETE, 0.90, (0.5, 0.7, 0.8, 0.9), **ran(0))
    add(
        study,
        TrialStatus.REJECTED,
        excess=400.0,
        parameters=20_399,
        reason="20,399 parameters, ...",
    )
    add(study, TrialStatus.COMPLETE, 0.97, lr=0.099, **ran(2, parameters=18_000))
    add(study, TrialStatus.PRUNED, curve=(0.3,), reason="pruned at 0.3", **ran(3, epochs=1))
    add(study, TrialStatus.COMPLETE, 0.95, lr=0.05, **ran(4, parameters=9_000))
    add(study, TrialStatus.FAILED, reason="diverged, or worse\nby a line", **ran(5, epochs=2))
    add(study, TrialStatus.COMPLETE, 0.97, **ran(6, parameters=18_500))
    add(study, TrialStatus.REJECTED, excess=9.0, parameters=20_008, reason="20,008 parameters, ...")
    study.ask()
    return "usual"


@pytest.fixture
def usual():
    return create_usual()


@pytest.fixture
def confirmed():
    """What two of its trials came to with three fresh seeds each."""

    def standing(title, accuracies):
        mean = sum(accuracies) / len(accuracies)
        around = Interval(mean, mean - 0.01, mean + 0.01)
        figures = [around, Interval(0.1, 0.09, 0.11), around]
        optimism = Interval(0.995 - mean, 0.985 - mean, 1.005 - mean)
        return Standing(
            title, "mine", 18_000, 4, 0.995, [1, 2, 3], accuracies, [], *figures, optimism
        )

    standings = [standing("trial 2", [0.96, 0.97, 0.98]), standing("trial 6", [0.93, 0.94, 0.95])]
    comparison = Comparison("trial 6", 3, Interval(0.03, 0.01, 0.05))
    return Conclusion("mnist_5k", 500, "val_acc", 0.95, standings, [comparison], [])
