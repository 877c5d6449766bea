"""Trials an hour and what they find: whole sweeps by ours and by what people use instead.

    make bench-sweep [REPETITIONS=5]
    python -m benchmarks.sweep 5 ours "stock sweeper, basic launcher"  # some of them, by name
    python -m benchmarks.sweep 2 --first-seed=3 ours                   # two repetitions more

Every contender searches the same space (width, dropout, batch size, learning rate, all within the
budget) for the same number of trials of the same number of epochs on mnist_5k, from an empty
folder, with a seed of its own each repetition:

- ours: as it comes, one one-thread worker a core and the default pruner; and without pruning
- stock sweeper: Hydra's Optuna sweeper, with the basic launcher and with joblib on all cores,
  on a DataLoader loop; and with the basic launcher on our training entry, which leaves the
  difference that sweeper and workers make
- Optuna: a study around the DataLoader loop, without a pruner and with its default one
- Ray Tune: ASHA, one trial a core, around the DataLoader loop

The winner of each is trained again with `SEEDS` fresh seeds by our entry, and measured on MNIST's
10,000 test images where MNIST_SWEEP_DATA has them, else on the 500 of mnist_5k.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks.common import accuracy, alternate, command, installed, ratios, save, spread, title
from benchmarks.digits import write_for_torchvision
from mnist_sweep.data import Images, load_dataset
from mnist_sweep.run.cores import cores

TRIALS, EPOCHS, SEEDS = 20, 20, 5  # the trials and epochs of `python -m mnist_sweep.train -m`
SPACE = {
    "model.width": "interval(0.6, 1.0)",
    "model.dropout": "interval(0.0, 0.3)",
    "batch_size": "choice(16, 32, 64, 128)",
    "optimizer.lr": "tag(log, interval(0.0005, 0.02))",
}
SPACE_LINES = [f"{name}={value}" for name, value in SPACE.items()]
THEIRS = {"model.width": "width", "model.dropout": "dropout", "optimizer.lr": "lr"}
WORK = ["data=mnist_5k", "scheduler=constant", f"epochs={EPOCHS}", "tracking=none"]
TOTAL = f"hydra.sweeper.n_trials={TRIALS}"
REFERENCE = "stock sweeper, basic launcher"

Parameters = dict[str, Any]


def ours(folder: Path, seed: int, *settings: str) -> Parameters:
    """Sweep with our sweeper; return the best parameters."""
    search = ["search=command_line", "hydra.sweeper.study_name=s", TOTAL]
    search += [f"hydra.sweeper.sampler.seed={seed}", "hydra.sweeper.default_first=false"]
    command(["mnist_sweep.train", "-m", *search, *WORK, *SPACE_LINES, *settings], folder)
    return best(folder / "multirun" / "s")


def stock_on_ours(folder: Path, seed: int) -> Parameters:
    """Sweep with the stock sweeper over our training entry; return the best parameters."""
    search = ["~search", "hydra/sweeper=optuna", "hydra/launcher=basic", TOTAL]
    search += ["hydra.sweeper.n_jobs=1", "hydra.sweeper.direction=maximize"]
    search += [f"hydra.sweeper.sampler.seed={seed}"]
    search += ["hydra.sweep.dir=multirun/s", "hydra.sweep.subdir=${hydra.job.num}"]
    command(["mnist_sweep.train", "-m", *search, *WORK, *SPACE_LINES], folder)
    return best(folder / "multirun" / "s")


def stock(folder: Path, seed: int, root: Path, *settings: str) -> Parameters:
    """Sweep with the stock sweeper over a DataLoader loop; return the best parameters."""
    work = [f"root={root}", f"epochs={EPOCHS}", "hydra.sweep.dir=multirun/s", TOTAL]
    work += [f"hydra.sweeper.sampler.seed={seed}", *settings]
    command(["benchmarks.contenders.hydra_app", "-m", *work], folder)
    return translated(best(folder / "multirun" / "s"))


def other(folder: Path, seed: int, root: Path, module: str, *arguments: str) -> Parameters:
    """Search with a script that prints its best parameters; return them."""
    line = [f"benchmarks.contenders.{module}", str(root), str(TRIALS), str(EPOCHS), str(seed)]
    printed = command([*line, *arguments], folder)
    return translated(json.loads(printed.splitlines()[-1]))


def best(directory: Path) -> Parameters:
    """Return the best parameters of a sweep's results file."""
    return dict(OmegaConf.load(directory / "optimization_results.yaml")["best_params"])


def translated(found: Parameters) -> Parameters:
    """Return a contender's parameters under our names."""
    return {ours: found[THEIRS.get(ours, ours)] for ours in SPACE}


def measured(
    search: Callable[[Path, int], Parameters], seeds: Iterator[int], test: Images
) -> dict[str, Any]:
    """Run a search in an empty folder; return its seconds, its winner, and what that is worth.

    `epochs`: how many it trained in all, None of a contender that does not write them down.
    """
    seed = next(seeds)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        found = search(Path(folder), seed)
        seconds = time.perf_counter() - start
        runs = list(Path(folder).glob("multirun/s/[0-9]*/metrics.jsonl"))
        epochs = sum(len(run.read_text().splitlines()) for run in runs) or None
    sweep = {"seed": seed, "seconds": seconds, "epochs": epochs, "best": found}
    return {**sweep, "test": retrained(found, test)}


def contenders(root: Path) -> dict[str, Callable[[Path, int], Parameters]]:
    """Return what is installed, by name."""
    joblib = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={cores()}"]
    joblib += [f"hydra.sweeper.n_jobs={cores()}"]
    found: dict[str, Callable[[Path, int], Parameters]] = {
        "ours": ours,
        "ours, no pruning": lambda f, s: ours(f, s, "hydra/sweeper/pruner=none"),
        "stock sweeper on our training": stock_on_ours,
        REFERENCE: lambda f, s: stock(f, s, root, "hydra.sweeper.n_jobs=1"),
        "stock sweeper, joblib": lambda f, s: stock(f, s, root, *joblib),
        "Optuna": lambda f, s: other(f, s, root, "optuna_loop", "none"),
        "Optuna, median pruner": lambda f, s: other(f, s, root, "optuna_loop", "median"),
    }
    if installed("ray"):
        found["Ray Tune, ASHA"] = lambda f, s: other(f, s, root, "ray_tune")
    else:
        print("Ray Tune is not installed: pip install -e '.[bench]'", file=sys.stderr)
    return found


def retrained(parameters: Parameters, test: Images) -> float:
    """Return the mean test accuracy of a configuration trained with fresh seeds."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = [f"{name}={value}" for name, value in parameters.items()]
        seeds = "seed=" + ",".join(str(1000 + seed) for seed in range(SEEDS))
        runs = ["search=none", "hydra.sweep.dir=runs", "hydra.sweep.subdir=${hydra.job.num}"]
        launcher = ["hydra/launcher=workers"]
        command(["mnist_sweep.train", "-m", *runs, *launcher, *WORK, *fixed, seeds], Path(folder))
        found = [accuracy(Path(folder) / "runs" / str(n), test) for n in range(SEEDS)]
    return statistics.mean(found)


def main(repetitions: int, names: list[str], first_seed: int) -> None:
    """Run contenders in turn, all or the named ones, retrain their winners, print what came out."""
    root = os.environ.get("MNIST_SWEEP_DATA")
    test = load_dataset("mnist" if root else "mnist_5k", root or "").test
    with tempfile.TemporaryDirectory() as name:
        write_for_torchvision(Path(name))
        searches = contenders(Path(name))
        if unknown := set(names) - searches.keys():
            sys.exit(f"error: no contender {', '.join(unknown)}; there are {', '.join(searches)}")
        runs = {
            n: partial(measured, searches[n], count(first_seed), test) for n in names or searches
        }
        found = alternate(runs, repetitions, keep)
    report(found, len(test))


def keep(found: dict[str, list[dict[str, Any]]]) -> None:
    """Write the figures so far: a repetition of all contenders takes hours."""
    save("sweep", {"trials": TRIALS, "epochs": EPOCHS, "sweeps": found})


def report(found: dict[str, list[dict[str, Any]]], images: int) -> None:
    """Print a line a contender."""
    title(f"sweeps of {TRIALS} trials of {EPOCHS} epochs on mnist_5k; winners on {images:,} images")
    pace = {name: [3600 * TRIALS / s["seconds"] for s in sweeps] for name, sweeps in found.items()}
    reference = pace.get(REFERENCE)
    for name, sweeps in found.items():
        tests = [100 * sweep["test"] for sweep in sweeps]
        error = statistics.stdev(tests) / len(tests) ** 0.5 if len(tests) > 1 else float("nan")
        ratio = f"{spread(ratios(pace[name], reference))} x stock" if reference else "no stock"
        print(
            f"  {name:<30} {spread(pace[name], ',.0f'):<24} trials/hour, {ratio}; "
            f"{statistics.median(s['seconds'] for s in sweeps):.0f} s; {_epochs(sweeps)}"
            f"winner {statistics.mean(tests):.2f} ± {error:.2f}%"
        )


def _epochs(sweeps: list[dict[str, Any]]) -> str:
    known = [sweep["epochs"] for sweep in sweeps if sweep["epochs"]]
    return f"{statistics.median(known):.0f} of {TRIALS * EPOCHS} epochs; " if known else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep")
    parser.add_argument("repetitions", nargs="?", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="the first repetition's")
    parser.add_argument("names", nargs="*", help="contenders; all unless named")
    given = parser.parse_intermixed_args()
    main(given.repetitions, given.names, given.first_seed)
