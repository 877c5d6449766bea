"""Trials an hour: our workers, with and without pruning, and the stock sweeper on the same work.

    python benchmarks/workers.py [repetitions]

Every contender runs the same number of trials, of as many epochs, over the same space on the same
data, each trial in its own process tree from an empty folder. Contenders alternate; figures are
medians over the repetitions, with the smallest and the largest.

- one worker, all threads: our sweeper, hydra.sweeper.n_jobs=1, no pruning
- workers: our sweeper as it comes, one one-thread worker a core, no pruning
- workers and pruning: the same with the default pruner
- stock: Hydra's Optuna sweeper with the basic launcher, which has neither
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

TRIALS, EPOCHS = 10, 3
SPACE = [
    "model.width=interval(0.6, 1.0)",  # all within the budget: the stock sweeper has no gate
    "model.dropout=interval(0.0, 0.3)",
    "batch_size=choice(16, 32, 64, 128)",
    "optimizer.lr=tag(log, interval(0.0005, 0.02))",
]
WORK = [
    "data=mnist_5k",
    "tracking=none",
    f"epochs={EPOCHS}",
    f"hydra.sweeper.n_trials={TRIALS}",
    "hydra/sweeper/sampler=random",  # the same configurations for all
    "hydra.sweeper.sampler.seed=0",
    "hydra.sweep.dir=multirun/s",
]
OURS = ["search=command_line", "hydra.sweeper.study_name=s", "hydra.sweeper.default_first=false"]
STOCK = ["~search", "hydra/sweeper=optuna", "hydra/launcher=basic", "hydra.sweeper.n_jobs=1"]
STOCK += ["hydra.sweeper.direction=maximize", "hydra.sweep.subdir=${hydra.job.num}"]
CONTENDERS = {
    "one worker, all threads": [*OURS, "hydra.sweeper.n_jobs=1", "hydra/sweeper/pruner=none"],
    "workers": [*OURS, "hydra/sweeper/pruner=none"],
    "workers and pruning": OURS,
    "stock sweeper": STOCK,
}


def run(arguments: list[str]) -> dict[str, float]:
    """Sweep once in an empty folder; return what it took and what the workers did."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mnist_sweep.train", "-m", *arguments, *WORK, *SPACE]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        lines = [
            json.loads(line)
            for path in Path(folder).glob("multirun/s/[0-9]*/metrics.jsonl")
            for line in path.read_text().splitlines()
        ]
    images = sum(line["images_per_second"] * line["seconds"] for line in lines)
    return {
        "seconds": seconds,
        "trials_an_hour": 3600 * TRIALS / seconds,
        "epochs": len(lines),
        # Of one worker, over the time that it trained.
        "images_per_second": images / sum(line["seconds"] for line in lines),
    }


def main(repetitions: int) -> None:
    """Run all contenders in turn and print what they took."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for repetition in range(repetitions):
        names = list(CONTENDERS)
        for name in names if repetition % 2 == 0 else reversed(names):
            found[name].append(run(CONTENDERS[name]))
            print(f"  {repetition + 1}/{repetitions} {name}: {found[name][-1]}", file=sys.stderr)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; torch "
        f"{version('torch')}; {TRIALS} trials of {EPOCHS} epochs, {repetitions} repetitions"
    )

    def spread(name: str, figure: str) -> tuple[float, float, float]:
        values = [each[figure] for each in found[name]]
        return statistics.median(values), min(values), max(values)

    for name in CONTENDERS:
        pace, low, high = spread(name, "trials_an_hour")
        ratio = pace / spread("stock sweeper", "trials_an_hour")[0]
        print(
            f"  {name:<24} {pace:6.0f} trials/hour ({low:.0f} to {high:.0f}), "
            f"{ratio:.2f} x stock; {spread(name, 'images_per_second')[0]:,.0f} images/s a worker, "
            f"{spread(name, 'epochs')[0]:.0f} epochs"
        )
    together = (os.cpu_count() or 1) * spread("workers", "images_per_second")[0]
    alone = spread("one worker, all threads", "images_per_second")[0]
    print(
        f"  all workers together / one worker with all threads: {together:,.0f} / {alone:,.0f} "
        f"= {together / alone:.2f}"
    )
    print(json.dumps({"benchmark": "workers", "runs": found}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
