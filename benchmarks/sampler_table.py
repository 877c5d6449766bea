"""The table that `benchmarks.samplers` replays: short real trainings of random configurations.

    python -m benchmarks.sampler_table SHARD SHARDS   # trains what is missing, say 0 2 and 1 2
    python -m benchmarks.sampler_table merge          # adds what the shards have trained

The space is that of `search=schedule`. Configuration n is the n-th random one that passes the gate;
it is trained for `EPOCHS` epochs on `TRAINED` images of `mnist_5k`, with one thread. The first
`REPEATED` configurations are trained with `SEEDS` seeds, which shows how much luck there is in a
run; the others with one. The table has, of the weights that each run kept, the accuracy on the 500
validation images, which is what a search sees, and on the training images that were not trained
on: that is, on 2,800 others.

A row a run, in benchmarks/sampler_runs/schedule.csv. A run depends on its number and its seed
alone, and comes out the same on the same machine.
"""

import copy
import csv
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from omegaconf import DictConfig

from mnist_sweep import train
from mnist_sweep.config_checks import check
from mnist_sweep.data import Dataset, load_dataset
from mnist_sweep.run.build import build_pipeline, build_training, count_model
from mnist_sweep.run.machine import set_seeds
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.study_search import VOLATILE
from mnist_sweep.sweep.trials.proposals import GatedSpace
from mnist_sweep.training.epochs import Epoch
from mnist_sweep.training.loop import Diverged, Precision, evaluate, fit

TRAINED, EPOCHS = 1_200, 4
CONFIGURATIONS, REPEATED, SEEDS = 450, 40, 3
TABLE = Path(__file__).with_name("sampler_runs") / "schedule.csv"
FIGURES = ("number", "seed", "val_acc", "held_acc", "seconds")


@dataclass(frozen=True)
class Row:
    """A run: its configuration by number and by settings, its seed, and how it came out.

    `val_acc` is of 500 images, `held_acc` of 2,800 others; both are fractions.
    """

    number: int
    seed: int
    settings: dict[str, Any]
    val_acc: float
    held_acc: float
    seconds: float


def counted(config: DictConfig, hydra: DictConfig) -> Verdict:
    """Judge as `mnist_sweep.sweep.gate.parameter_budget` does, by the count alone.

    Everything else in this space is a valid run, and checking that takes most of the gate's time.
    """
    _, parameters = count_model(config.model, "enhanced")
    excess = parameters - config.budget.max_parameters
    reason = f"{excess:,} over budget" if excess > 0 else None
    return Verdict({"parameters": excess}, {"parameters": parameters}, reason)


def gated_space() -> GatedSpace:
    """Return the default search space behind a gate, as `train -m data=mnist_5k` has it."""
    hydra = Hydra.create_main_hydra2("train", create_config_search_path(train.config_directory()))
    given = ["data=mnist_5k", f"epochs={EPOCHS}", "tracking=none"]
    chosen = ["search=schedule", *given]
    config = hydra.compose_config("config", chosen, RunMode.MULTIRUN)
    sweeper = config.hydra.sweeper
    compose = Composer(hydra.config_loader, config)
    current = BaseConfig(config, compose)
    space = parse_space(sweeper.params, sweeper.conditional, given)
    return GatedSpace(space, current, compose, counted, None, immaterial=VOLATILE)


def configuration(space: GatedSpace, number: int) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters of a random configuration that passes the gate, and its overrides."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    while True:
        trial = study.ask()
        overrides = space.space.walk(lambda n, d: suggest(trial, n, d), space.current)  # noqa: B023
        if space.judge(overrides).reason is None:
            return trial.params, overrides


def run(config: DictConfig, dataset: Dataset, seed: int) -> tuple[float, float]:
    """Train once; return the validation accuracy of the kept weights, and that on other images."""
    typed = check(config)
    trained, held = (
        dataset.train[torch.arange(TRAINED)],
        dataset.train[torch.arange(TRAINED, len(dataset.train))],
    )
    typed.seed = seed
    set_seeds(seed, typed.deterministic)
    pipeline, steps = build_pipeline(typed), -(-TRAINED // typed.batch_size)
    training = build_training(typed, steps, torch.device("cpu"))
    val_acc, kept = 0.1, training.model.state_dict()

    def after_epoch(figures: Epoch, is_best: bool) -> None:
        nonlocal val_acc, kept
        if is_best:
            val_acc, kept = figures.val_acc, copy.deepcopy(training.model.state_dict())

    try:
        fit(
            training,
            trained,
            dataset.val,
            pipeline,
            epochs=typed.epochs,
            batch_size=typed.batch_size,
            precision=Precision(),
            after_epoch=after_epoch,
        )
    except Diverged:
        return 0.1, 0.1  # by chance, of ten digits
    training.model.load_state_dict(kept)
    return val_acc, evaluate(training.model, held, pipeline, Precision())[1]


def read(path: Path = TABLE) -> list[Row]:
    """Return the recorded runs."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return [_row(fields) for fields in csv.DictReader(lines)]


def _row(fields: dict[str, str]) -> Row:
    settings = {n: _value(text) for n, text in fields.items() if n not in FIGURES and text}
    number, seed = int(fields["number"]), int(fields["seed"])
    val, held, seconds = (float(fields[name]) for name in FIGURES[2:])
    return Row(number, seed, settings, val, held, seconds)


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def write(rows: list[Row], path: Path = TABLE) -> None:
    """Record runs, in order."""
    rows = sorted(rows, key=lambda row: (row.number, row.seed))
    names = sorted({name for row in rows for name in row.settings})
    text = io.StringIO()
    writer = csv.DictWriter(text, [*FIGURES[:2], *names, *FIGURES[2:]], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        figures = {name: getattr(row, name) for name in FIGURES}
        writer.writerow({**figures, **row.settings})
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")


def wanted() -> Iterator[tuple[int, int]]:
    """Yield number and seed of every run."""
    for number in range(CONFIGURATIONS):
        for seed in range(SEEDS if number < REPEATED else 1):
            yield number, seed


def collect(shard: int, shards: int) -> None:
    """Train what the table lacks of a shard's part, into a file of its own until `merge`."""
    part = TABLE.with_suffix(f".{shard}.csv")
    rows = read(part)
    known = {(row.number, row.seed) for row in [*rows, *read()]}
    space, dataset = gated_space(), load_dataset("mnist_5k", "")
    for place, (number, seed) in enumerate(wanted()):
        if place % shards != shard or (number, seed) in known:
            continue
        settings, overrides = configuration(space, number)
        config, _ = space.compose(overrides)
        start = time.perf_counter()
        val, held = run(config, dataset, seed)
        rows.append(Row(number, seed, settings, val, held, round(time.perf_counter() - start, 2)))
        write(rows, part)
        print(rows[-1], flush=True)


def merge() -> None:
    """Put the shards' rows into the table."""
    parts = sorted(TABLE.parent.glob(f"{TABLE.stem}.*.csv"))
    write([*read(), *(row for part in parts for row in read(part))])
    for part in parts:
        part.unlink()
    print(f"{TABLE}: {len(read())} runs")


if __name__ == "__main__":
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if sys.argv[1:] == ["merge"]:
        merge()
    else:
        collect(int(sys.argv[1]), int(sys.argv[2]))
