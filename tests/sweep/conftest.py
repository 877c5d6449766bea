"""A study with a trial of every kind."""

import optuna
import pytest

from mnist_sweep.sweep.trials.status import GATE, STATES, TrialStatus


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def add(study, status, value=None, excess=None, **attributes):
    """A trial that came to something."""
    trial = study.ask()
    x = trial.suggest_float("x", 0, 1)
    if excess is not None:
        trial.set_constraint("parameters", excess)
    # Of a rejected trial there is what the gate found, and no status of its own.
    rejected = status == TrialStatus.REJECTED
    recorded = {GATE: attributes} if rejected else {"status": status, **attributes}
    for name, attribute in recorded.items():
        trial.set_user_attr(name, attribute)
    study.tell(trial, value, STATES[status])
    return trial.number, x


@pytest.fixture
def study():
    study = optuna.create_study(direction="maximize")
    add(study, TrialStatus.REJECTED, excess=500.0, parameters=20_499, reason="500 over")
    add(study, TrialStatus.COMPLETE, 0.9, -10.0, run_directory="multirun/s/1")
    add(study, TrialStatus.REJECTED, excess=20.0, parameters=20_019, reason="20 over")
    add(study, TrialStatus.FAILED, reason="diverged")
    add(study, TrialStatus.COMPLETE, 0.95, -5.0, run_directory="multirun/s/4")
    add(study, TrialStatus.PRUNED, epochs=2, max_epochs=5, reason="pruned after epoch 2")
    study.ask()  # runs
    return study
