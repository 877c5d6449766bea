"""One GPU: images a second, with and without a CUDA graph; seeds as one model; whole runs.

    make bench-gpu [REPETITIONS=5]

Trains the enhanced network in batches of 32 on the training images of MNIST (MNIST_SWEEP_DATA),
which lie on the device; evaluation is left out. `SEEDS` runs of one configuration are trained as
one by `fit_many`, and one after another. Where there is no GPU it says so and measures nothing.
"""

import os
import statistics
import sys
import time
from functools import partial

import torch
from hydra import compose, initialize_config_dir

from benchmarks.common import alternate, ratios, save, spread, title
from mnist_sweep import train
from mnist_sweep.build import build_dataset, build_pipeline, build_training
from mnist_sweep.config import RunConfig, check
from mnist_sweep.data import Images
from mnist_sweep.fit import Precision, fit
from mnist_sweep.fit_many import fit_many
from mnist_sweep.machine import set_seeds

SEEDS = (1, 2, 5, 10, 20)
IMAGES, WHOLE = 10_000, 20  # a repetition's images; the epochs of a whole run


def seconds(run: RunConfig, images: Images, seeds: int, stacked: bool, epochs: int = 1) -> float:
    """Train some seeds of a run; return the seconds that it took."""
    device, pipeline = images.labels.device, build_pipeline(run)
    steps = -(-len(images) // run.batch_size)
    trainings = []
    for seed in range(seeds):
        set_seeds(seed, deterministic=False)
        trainings.append(build_training(run, steps, device))
    torch.cuda.synchronize()
    start = time.perf_counter()
    fit_many(
        trainings,
        images,
        images[torch.arange(100, device=device)],
        pipeline,
        epochs=epochs,
        batch_size=run.batch_size,
        precision=Precision(run.precision),
        after_epoch=[lambda figures, best: None] * seeds,
        stacked=stacked,
    )
    torch.cuda.synchronize()
    return time.perf_counter() - start


def replayed(run: RunConfig, images: Images) -> float:
    """Train a run of one epoch whose passes are a CUDA graph; return the seconds that it took."""
    set_seeds(0, deterministic=False)
    training = build_training(run, -(-len(images) // run.batch_size), images.labels.device)
    torch.cuda.synchronize()
    start = time.perf_counter()
    fit(
        training,
        images,
        images[torch.arange(100, device=images.labels.device)],
        build_pipeline(run),
        epochs=1,
        batch_size=run.batch_size,
        precision=Precision(run.precision),
        after_epoch=lambda figures, best: None,
        cuda_graph=True,
    )
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main(repetitions: int) -> None:
    """Measure one run in both precisions, seeds both ways, and whole runs."""
    if not torch.cuda.is_available():
        sys.exit("error: torch finds no GPU here, and this benchmark measures nothing else")
    if "MNIST_SWEEP_DATA" not in os.environ:
        sys.exit("error: set MNIST_SWEEP_DATA to a folder with the full MNIST")
    with initialize_config_dir(train.config_directory()):
        runs = {
            precision: check(compose("config", ["data=mnist", f"precision={precision}"]))
            for precision in ("float32", "bfloat16")
        }
    run = runs["float32"]
    whole = build_dataset(run).to(torch.device("cuda")).train
    part = whole[torch.arange(IMAGES, device="cuda")]
    contenders = {
        f"one run, {name}": partial(seconds, r, part, 1, False) for name, r in runs.items()
    }
    for name, precise in runs.items():
        contenders[f"one run, {name}, graph"] = partial(replayed, precise, part)
    for count in SEEDS:
        contenders[f"{count} seeds, as one"] = partial(seconds, run, part, count, True)
        contenders[f"{count} seeds, one by one"] = partial(seconds, run, part, count, False)
    for warm in contenders.values():
        warm()
    found = alternate(contenders, repetitions)
    lasting = [seconds(run, whole, 1, False, WHOLE) for _ in range(min(repetitions, 2))]
    title(f"seconds for {IMAGES:,} images a seed; {torch.cuda.get_device_name()}")
    for name, values in found.items():
        print(f"  {name:<24} {spread(values)}")
    for name, values in found.items():
        if name.startswith("one run"):
            print(f"  {name}: {IMAGES / statistics.median(values):,.0f} images/s")
    for count in SEEDS:
        ratio = ratios(found[f"{count} seeds, one by one"], found[f"{count} seeds, as one"])
        print(f"  {count} seeds one by one / as one: {spread(ratio)}")
    print(f"  a run of {WHOLE} epochs of {len(whole):,} images: {spread(lasting)} s")
    save("gpu", {"seconds": found, "whole_run": lasting, "gpu": torch.cuda.get_device_name()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
