"""A study of thousands of runs of ours, made from a few real ones in seconds.

Each further trial is a copy of a real one with other settings, another value (a normal's, of a
standard deviation of half a point) and the same files, linked, under its own number.
"""

import json
import math
import os
import random
import shutil
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.sweep.space.resolved import CONFIGURATION
from mnist_sweep.sweep.trials.leases import SWEEP

DEVIATION = 0.005  # of an accuracy


def multiply(folder: Path, name: str, trials: int) -> None:
    """Add trials to the study of that name in multirun/optuna.db until it has so many."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{folder}/multirun/optuna.db"
    study = optuna.load_study(study_name=name, storage=storage)
    real, draw = study.get_trials(), random.Random(0)
    runs = folder / "multirun" / name
    for number in range(len(real), trials):
        source = draw.choice(real)
        study.add_trial(_copied(source, number, draw, f"multirun/{name}/{number}"))
        shutil.copytree(runs / str(source.number), runs / str(number), copy_function=os.link)
        _renumber(runs / str(number) / "result.json", number)


def _copied(source: FrozenTrial, number: int, draw: random.Random, run: str) -> FrozenTrial:
    params = {name: _drawn(among, draw) for name, among in source.distributions.items()}
    change = draw.gauss(0, DEVIATION)
    attributes = source.user_attrs | {
        "run_directory": run,
        "val_acc": source.user_attrs["val_acc"] + change,
        "overrides": [f"{name}={value}" for name, value in params.items()],
    }
    complete = source.state == TrialState.COMPLETE
    return optuna.trial.create_trial(
        state=source.state,
        values=[value + change for value in source.values] if complete else None,
        params=params,
        distributions=source.distributions,
        user_attrs=attributes,
        system_attrs={SWEEP: source.system_attrs[SWEEP], CONFIGURATION: f"{number:016x}"},
        intermediate_values={n: v + change for n, v in source.intermediate_values.items()},
        constraints=source.constraints,
    )


def _drawn(among: BaseDistribution, draw: random.Random) -> Any:
    if isinstance(among, CategoricalDistribution):
        return draw.choice(among.choices)
    low, high = among.low, among.high  # type: ignore[attr-defined]
    if isinstance(among, IntDistribution):
        return draw.randrange(low, high + 1, among.step)
    if among.log:  # type: ignore[attr-defined]
        return min(high, max(low, math.exp(draw.uniform(math.log(low), math.log(high)))))
    return draw.uniform(low, high)


def _renumber(path: Path, number: int) -> None:
    """Give a linked result a trial of its own."""
    result = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    path.write_text(json.dumps(result | {"trial": number}), encoding="utf-8")
