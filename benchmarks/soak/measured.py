"""One sweep, or one loop of Optuna's ask and tell, run in a process of its own and watched."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
PAUSE = 2.0  # seconds between two looks at the workers
RANDOM = ["hydra/sweeper/sampler=random"]


@dataclass(frozen=True)
class Load:
    """What is run: `trials` jobs of so many `seconds`, `workers` at once.

    `simulated`: by the sweep's own process, without workers, and without the seconds. The study has
    so many trials `before`.
    """

    trials: int
    seconds: float
    workers: int
    storage: str
    sampler: str
    simulated: bool
    before: int = 0


@dataclass(frozen=True)
class Run:
    """What was measured: `samples` of the process at each trial's end, as `record` has them.

    `workers`: now and then the number of trials that have ended, how many workers there are, the
    bytes that all hold (proportional set sizes) and the most descriptors that one has open. `cpu`:
    seconds of all processes together; `wall`: seconds until the last one had ended.
    """

    samples: list[dict[str, float]]
    workers: list[tuple[int, int, int, int]]
    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{len(self.samples):,} trials in {self.wall:.0f} s"


def sweep(load: Load, folder: Path) -> Run:
    """Run a sweep of ours."""
    settings = [
        f"hydra.sweeper.n_trials={load.before + load.trials}",
        f"hydra.sweeper.n_jobs={load.workers}",
    ]
    settings += [f"hydra.sweeper.storage={load.storage}", f"seconds={load.seconds}"]
    settings += ["hydra/launcher=instant"] if load.simulated else []
    settings += RANDOM if load.sampler == "random" else []
    return _run(["benchmarks.soak.app", "-m", *settings], folder)


def optuna_alone(load: Load, folder: Path) -> Run:
    """Ask and tell as often."""
    line = ["benchmarks.soak.plain", load.storage, load.sampler, str(load.trials)]
    return _run([*line, str(load.workers)], folder)


def _run(arguments: list[str], folder: Path) -> Run:
    record = folder / "record.jsonl"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "SOAK_RECORD": str(record)}
    before, start = _children(), time.perf_counter()
    workers: list[tuple[int, int, int, int]] = []
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=folder, env=environment, stdout=log, stderr=log
        )
        while process.poll() is None:
            time.sleep(PAUSE)
            workers.append((_lines(record), *_held(process.pid)))
    wall = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(arguments)}\n{(folder / 'log').read_text()[-2000:]}")
    samples: list[dict[str, Any]] = list(map(json.loads, record.read_text().splitlines()))
    return Run(samples, workers, _children() - before, wall)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _held(process: int) -> tuple[int, int, int]:
    """Return how many workers a process has, their bytes, and the most descriptors of one."""
    sizes, files = [], []
    try:
        for worker in psutil.Process(process).children():
            sizes.append(worker.memory_full_info().pss)
            files.append(worker.num_fds())
    except (psutil.Error, OSError):  # one ended meanwhile
        pass
    return len(sizes), sum(sizes), max(files, default=0)
