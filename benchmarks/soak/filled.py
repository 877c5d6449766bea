"""Studies that have many trials already, as files that each measurement gets a copy of."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from benchmarks.soak.landscape import KINDS, closeness
from mnist_sweep.sweep.storage import open_storage

STUDY = "soak"
STORAGES = {"sqlite": "sqlite:///{}", "journal": "journal:///{}"}
AMONG = {  # as config.yaml has it
    "x": FloatDistribution(0, 1),
    "y": FloatDistribution(0.001, 1, log=True),
    "depth": IntDistribution(1, 9),
    "kind": CategoricalDistribution(KINDS),
}


def write_filled(storage: str, counts: Sequence[int], folder: Path) -> dict[int, Path]:
    """Write a study of so many complete trials at random for each count; return their files.

    `storage` is "sqlite" or "journal".
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    growing, draw, made, files = folder / "growing", random.Random(0), 0, {}
    for count in sorted(counts):
        opened = open_storage(STORAGES[storage].format(growing))
        study = optuna.create_study(
            study_name=STUDY, storage=opened.optuna, direction="maximize", load_if_exists=True
        )
        for _ in range(made, count):
            study.add_trial(_trial(draw))
        opened.close()
        made, files[count] = count, folder / f"filled{count}"
        shutil.copy(growing, files[count])
    return files


def _trial(draw: random.Random) -> optuna.trial.FrozenTrial:
    x, y = draw.random(), 10 ** draw.uniform(-3, 0)
    params = {"x": x, "y": y, "depth": draw.randint(1, 9), "kind": draw.choice(KINDS)}
    return optuna.trial.create_trial(
        params=params, distributions=AMONG, value=closeness(**params), constraints={"size": -1.0}
    )
