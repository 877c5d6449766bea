"""The objective of the soak, and the search over it as Optuna's own users write it."""

import math

import optuna

KINDS = ("a", "b", "c")


def closeness(x: float, y: float, depth: int, kind: str) -> float:
    """Return a value that is 1 at one configuration and less everywhere else."""
    distances = (x - 0.3, math.log10(y) / 3 + 0.4, (depth - 7) / 9, KINDS.index(kind) / 4)
    return 1 - sum(distance**2 for distance in distances)


def suggested(trial: optuna.Trial) -> float:
    """Have a trial suggest the settings of config.yaml; return its value."""
    x = trial.suggest_float("x", 0, 1)
    y = trial.suggest_float("y", 0.001, 1, log=True)
    depth = trial.suggest_int("depth", 1, 9)
    return closeness(x, y, depth, trial.suggest_categorical("kind", KINDS))
