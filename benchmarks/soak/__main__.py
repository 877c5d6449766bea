"""Thousands of short trials through the whole engine: time a trial, memory, open files.

    make bench-soak [REPETITIONS=1]                                  # 2,000 trials, two workers
    python -m benchmarks.soak --filled 0 1000 2000 --trials=60 --simulate 3   # the curve, quickly
    python -m benchmarks.soak --workers=20 --storage=journal
    python -m benchmarks.soak --workers=20 --storage=postgresql      # starts a server of its own
    python -m benchmarks.soak --sampler=random --seconds=0.02

Jobs sleep and report once. The sweep's own process records its CPU time (user and system) at each
trial's end, and how much of that its sampler needed. Beside it, the same search by Optuna's ask and
tell alone, with the same sampler and settings and as many open trials, on a storage of the same
kind: both alternate. What either needs beyond its sampler is storage and, of ours, everything else
that a sweep does. CPU time, since that depends less on what else the machine does.

`--simulate`: jobs have ended at once, inside the sweep's process, whose own cost that leaves.
`--filled`: studies that have so many trials already, at random, which costs less than running them.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import optuna

from benchmarks.common import alternate, save, title
from benchmarks.soak.figures import HEAD, WINDOW, in_all, row
from benchmarks.soak.filled import STORAGES, STUDY, write_filled
from benchmarks.soak.measured import Load, Run, optuna_alone, sweep
from benchmarks.soak.record import SAMPLERS
from mnist_sweep.sweep.storage import open_storage
from tools.faults.postgresql import server
from tools.faults.scenario import Skipped

MARKS = (60, 250, 500, 1000, 1500, 2000)


def one(run: Callable[[Load, Path], Run], load: Load, filled: Path | None) -> Run:
    """Run a contender in a folder of its own, and check that its study has what it should."""
    starting = server() if load.storage == "postgresql" else nullcontext()
    with tempfile.TemporaryDirectory() as name, starting as started:
        folder = Path(name)
        if filled is not None:
            shutil.copy(filled, folder / "soak.db")
        usual = STORAGES.get(load.storage, load.storage).format(folder / "soak.db")
        address = started.address() if started else usual
        found = run(replace(load, storage=address), folder)
        check(address, load.before + load.trials)
    return found


def check(address: str, trials: int) -> None:
    """Raise AssertionError where the study has not so many trials, each complete."""
    storage = open_storage(address)
    study = optuna.load_study(study_name=STUDY, storage=storage.optuna)
    states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    storage.close()
    assert states == ["COMPLETE"] * trials, f"{len(states)} trials, {set(states)}"


def main(load: Load, filled: list[int], repetitions: int) -> None:
    """Run all in turn, and print what they needed."""
    loads = [replace(load, before=count) for count in filled]
    with tempfile.TemporaryDirectory() as folder:
        files = write_filled(load.storage, filled, Path(folder)) if any(filled) else {}
        contenders = {
            f"{name}, after {each.before:,}": partial(one, run, each, files.get(each.before))
            for each in loads
            for name, run in (("ours", sweep), ("Optuna alone", optuna_alone))
        }
        found = alternate(contenders, repetitions)
    title(f"{load}, repeated {repetitions}x; CPU ms a trial, mean of {WINDOW}")
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for each in loads:
        ours, alone = (found[f"{n}, after {each.before:,}"] for n in ("ours", "Optuna alone"))
        for mark in sorted({each.trials, *(mark for mark in MARKS if mark < each.trials)}):
            print("| " + " | ".join(row(ours, alone, mark, each.before)) + " |")
    for name, runs in found.items():
        if name.startswith("ours"):
            print(f"{name}: {'; '.join(in_all(run, load.trials) for run in runs)}")
    save(
        "soak", {"load": asdict(load), "runs": {n: list(map(asdict, f)) for n, f in found.items()}}
    )


def parsed() -> argparse.Namespace:
    """Return the command line's settings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("repetitions", nargs="?", type=int, default=1)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=0.1, help="that a job sleeps")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--storage", default="sqlite", choices=[*STORAGES, "postgresql"])
    parser.add_argument("--sampler", default="tpe", choices=SAMPLERS)
    parser.add_argument("--simulate", action="store_true", help="without workers")
    parser.add_argument("--filled", type=int, nargs="+", default=[0], help="trials before")
    return parser.parse_args()


if __name__ == "__main__":
    given = parsed()
    if any(given.filled) and given.storage == "postgresql":
        raise SystemExit("error: --filled needs --storage=sqlite or journal")
    if given.trials < 20:
        raise SystemExit(f"error: --trials={given.trials}: the first 10 are left out; ask for 20")
    try:
        main(
            Load(
                given.trials,
                given.seconds,
                given.workers,
                given.storage,
                given.sampler,
                given.simulate,
            ),
            given.filled,
            given.repetitions,
        )
    except Skipped as error:
        raise SystemExit(f"error: {error}") from error
