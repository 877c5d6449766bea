"""Thousands of short trials through the whole engine: time a trial, memory, open files.

    make bench-soak
    python -m benchmarks.soak --trials=2000 --seconds=0.1 --workers=2
    python -m benchmarks.soak --workers=20 --storage=journal
    python -m benchmarks.soak --workers=20 --storage=postgresql   # starts a server of its own
    python -m benchmarks.soak --sampler=random --simulate

Jobs sleep and report once. The sweep's own process records its CPU time (user and system) at each
trial's end, and how much of that its sampler needed. Beside it, the same search by Optuna's ask and
tell alone, with the same sampler and settings and as many open trials, on a storage of the same
kind: both alternate. What either needs beyond its sampler is storage and, of ours, everything else
that a sweep does. CPU time, since that hardly depends on what else the machine does.

With --simulate jobs have ended at once, inside the sweep's process: its own cost is the same, and
2,000 trials take a tenth of the time.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import optuna

from benchmarks.common import alternate, save, title
from benchmarks.soak.measured import Load, Run, optuna_alone, sweep
from benchmarks.soak.record import SAMPLERS
from benchmarks.soak.server import postgresql
from mnist_sweep.sweep.storage import open_storage

MARKS = (50, 250, 500, 1000, 1500, 2000)
WINDOW = 50  # trials up to a mark that its figures are the mean of
OURS, ALONE = "ours", "Optuna alone"
STORAGES = {"sqlite": "sqlite:///{}/soak.db", "journal": "journal:///{}/soak.log"}


def one(run: Callable[[Load, Path], Run], load: Load, name: str) -> Run:
    """Run a contender in a folder of its own, and check that its study has what it should."""
    server = postgresql() if load.storage == "postgresql" else nullcontext()
    with tempfile.TemporaryDirectory() as folder, server as address:
        address = address or STORAGES.get(load.storage, load.storage).format(folder)
        found = run(replace(load, storage=address), Path(folder))
        check(name, address, load.trials)
    return found


def check(name: str, address: str, trials: int) -> None:
    """Raise AssertionError where a study has not so many trials, each complete."""
    storage = open_storage(address)
    study = optuna.load_study(study_name=name, storage=storage.optuna)
    states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    storage.close()
    assert states == ["COMPLETE"] * trials, f"{name}: {len(states)} trials, {set(states)}"


def per_trial(run: Run, mark: int, key: str) -> float:
    """Return the mean milliseconds a trial of the window up to a mark."""
    last, first = run.samples[mark - 1], run.samples[mark - WINDOW]
    return 1000 * (last[key] - first[key]) / (WINDOW - 1)


def beyond(run: Run, mark: int) -> float:
    """Return the CPU milliseconds a trial that the sampler did not need."""
    return per_trial(run, mark, "cpu") - per_trial(run, mark, "sampler")


def rows(found: dict[str, list[Run]], trials: int) -> list[list[str]]:
    """Return a row for each mark: medians over the repetitions."""

    def median(name: str, figure: Callable[[Run], float]) -> float:
        return statistics.median(map(figure, found[name]))

    made = []
    for mark in (mark for mark in MARKS if mark <= trials):
        ours, alone = (median(name, partial(beyond, mark=mark)) for name in (OURS, ALONE))
        sampler = (median(n, lambda r: per_trial(r, mark, "sampler")) for n in (OURS, ALONE))  # noqa: B023
        size = median(OURS, lambda r: r.samples[mark - 1]["rss"] / 1e6)  # noqa: B023
        files = median(OURS, lambda r: r.samples[mark - 1]["files"])  # noqa: B023
        figures = [f"{value:.1f}" for value in (*sampler, ours, alone)]
        made.append([f"{mark:,}", *figures, f"{ours / alone:.2f}", f"{size:.0f}", f"{files:.0f}"])
    return made


def of_workers(run: Run) -> str:
    """Say what the workers held when all of them ran for the first time, and in the end."""
    most = max((count for _, count, _, _ in run.workers), default=0)
    full = [each for each in run.workers if each[1] == most]
    if not most or len(full) < 2:
        return "no workers"
    (early, _, first, files), (late, _, last, later) = full[1 if len(full) > 2 else 0], full[-1]
    return (
        f"{most} workers: {first / most / 1e6:.0f} MB and {files} open files each after "
        f"{early:,} trials, {last / most / 1e6:.0f} MB and {later} after {late:,}"
    )


def main(load: Load, repetitions: int) -> None:
    """Run both in turn and print what they needed."""
    contenders = {
        OURS: partial(one, sweep, load, "soak"),
        ALONE: partial(one, optuna_alone, load, "plain"),
    }
    found = alternate(contenders, repetitions)
    title(f"{load}, {repetitions} repetitions; CPU milliseconds a trial, {WINDOW} up to a mark")
    head = ["trials", "sampler, ours", "alone", "beyond it, ours", "alone", "ratio", "MB", "files"]
    for row in [head, *rows(found, load.trials)]:
        print(
            "  " + "".join(f"{cell:>{len(name) + 2}}" for cell, name in zip(row, head, strict=True))
        )
    for run in found[OURS]:
        gaps = [after["wall"] - before["wall"] for before, after in pairwise(run.samples)]
        print(
            f"  {run.wall:.0f} s, {run.cpu:.0f} s of CPU in all processes, "
            f"{1000 * run.cpu / load.trials:.0f} ms a trial; longest time without a trial's end "
            f"{max(gaps):.1f} s; {of_workers(run)}"
        )
    save(
        "soak",
        {"load": asdict(load), "runs": {n: [asdict(r) for r in f] for n, f in found.items()}},
    )


def parsed() -> argparse.Namespace:
    """Return the command line's settings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("repetitions", nargs="?", type=int, default=1)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=0.1, help="that a job sleeps")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--storage", default="sqlite", help="sqlite, journal, postgresql, an address"
    )
    parser.add_argument("--sampler", default="tpe", choices=SAMPLERS)
    parser.add_argument("--simulate", action="store_true", help="without workers")
    return parser.parse_args()


if __name__ == "__main__":
    given = parsed()
    main(
        Load(
            given.trials,
            given.seconds,
            given.workers,
            given.storage,
            given.sampler,
            given.simulate,
        ),
        given.repetitions,
    )
