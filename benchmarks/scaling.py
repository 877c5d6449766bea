"""Epoch time and memory of worker processes, as images and workers grow.

    make bench-scaling [REPETITIONS=5]

Each worker is a process of one thread that trains `model=linear`, so that the data matter, for
`EPOCHS` epochs on N training images of MNIST (those of MNIST_SWEEP_DATA, repeated for more), all
workers at the same time. Memory is the sum of the workers' proportional set sizes at their highest
(PSS: a page that several share counts in equal parts), so that shared data show.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil
import torch

from benchmarks.common import alternate, save, spread, title
from benchmarks.digits import write_idx
from mnist_sweep.data import load_dataset
from mnist_sweep.data.sources import raw_folder
from mnist_sweep.run.cores import cores

EPOCHS, VALIDATION = 3, 1_000
IMAGES = (5_000, 20_000, 60_000, 600_000)
WORKERS = (1, 2)
SETTINGS = ["model=linear", "data=mnist", "batch_size=256", "tracking=none", "threads=1"]


def write_set(root: Path, name: str, images: int) -> None:
    """Write a set of that many training images, which the entry finds under data.folder=name."""
    source = load_dataset("mnist", os.environ["MNIST_SWEEP_DATA"])
    pixels = torch.cat([source.train.images, source.val.images])
    labels = torch.cat([source.train.labels, source.val.labels])
    repeats = -(-images // len(pixels))
    chosen = pixels.repeat(repeats, 1, 1)[:images], labels.repeat(repeats)[:images]
    write_idx(raw_folder(root, name), "train", *chosen)
    write_idx(raw_folder(root, name), "test", source.test.images, source.test.labels)


def measure(root: Path, images: int, workers: int) -> dict[str, float]:
    """Train on all workers; return seconds an epoch and the megabytes that they held together."""
    name = f"set{images}"
    with tempfile.TemporaryDirectory() as folder:
        started = [start(root, name, f"{folder}/{number}") for number in range(workers)]
        highest = 0.0
        while any(process.poll() is None for process in started):
            highest = max(highest, sum(proportional(process.pid) for process in started))
            time.sleep(0.2)
        if any(process.returncode for process in started):
            sys.exit("a worker failed")
        lines = [
            line
            for number in range(workers)
            for line in (Path(folder) / str(number) / "metrics.jsonl").read_text().splitlines()[1:]
        ]
    epochs = [json.loads(line)["seconds"] for line in lines]
    return {"seconds": statistics.median(epochs), "megabytes": highest / 1e6}


def start(root: Path, name: str, directory: str) -> subprocess.Popen[bytes]:
    """Start a worker on a set."""
    data = [
        f"data.name={name}",
        f"data.folder={name}",
        f"data.root={root}",
        f"data.validation={VALIDATION}",
    ]
    work = [*SETTINGS, *data, f"epochs={EPOCHS}", f"hydra.run.dir={directory}"]
    return subprocess.Popen(
        [sys.executable, "-m", "mnist_sweep.train", *work],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )


def proportional(process: int) -> float:
    """Return a process's proportional set size in bytes; 0 when it has ended."""
    try:
        return float(psutil.Process(process).memory_full_info().pss)
    except (psutil.Error, OSError):
        return 0.0


def main(repetitions: int) -> None:
    """Measure every number of images with every number of workers."""
    if "MNIST_SWEEP_DATA" not in os.environ:
        sys.exit("error: set MNIST_SWEEP_DATA to a folder with the full MNIST")
    workers = sorted({*WORKERS, cores()})
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for images in IMAGES:
            write_set(root, f"set{images}", images + VALIDATION)
        contenders = {
            f"{images:,} images, {count} workers": partial(measure, root, images, count)
            for images in IMAGES
            for count in workers
        }
        found = alternate(contenders, repetitions)
    title("seconds an epoch of a linear model, and megabytes of all workers together")
    for contender, runs in found.items():
        seconds = spread([run["seconds"] for run in runs], ".3f")
        print(
            f"  {contender:<28} {seconds:<28} {spread([r['megabytes'] for r in runs], ',.0f')} MB"
        )
    save("scaling", {"runs": found})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
