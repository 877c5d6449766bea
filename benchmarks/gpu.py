"""One GPU: images a second, with and without a CUDA graph; seeds as one model; whole runs.

    make bench-gpu [REPETITIONS=5]

Trains the enhanced network in batches of 32 on the training images of MNIST (MNIST_SWEEP_DATA),
which lie on the device; evaluation is left out, but of whole runs, whose accuracies stand beside
their seconds. `SEEDS` runs of one configuration are trained as one by `fit_many`, and one after
another. Where there is no GPU it says so and measures nothing.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from hydra import compose, initialize_config_dir

from benchmarks.common import alternate, ratios, save, spread, title
from mnist_sweep import train
from mnist_sweep.config import RunConfig, check
from mnist_sweep.data import Dataset, Images
from mnist_sweep.run.build import build_dataset, build_pipeline, build_training
from mnist_sweep.run.machine import set_seeds
from mnist_sweep.training.loop import Epoch, Precision, fit
from mnist_sweep.training.stacked import fit_many

SEEDS = (1, 2, 5, 10, 20)
IMAGES, WHOLE = 10_000, 20  # a repetition's images; the epochs of a whole run


def second_pass(
    run: RunConfig, images: Images, seeds: int, stacked: bool = False, graph: bool = False
) -> float:
    """Train some seeds of a run for two epochs; return the seconds of the second, of all together.

    The first one has what is done once: choosing kernels, allocating, recording a graph.
    """
    steps, pipeline = -(-len(images) // run.batch_size), build_pipeline(run)
    trainings, taken = [], []
    for seed in range(seeds):
        set_seeds(seed, deterministic=False)
        trainings.append(build_training(run, steps, images.labels.device))

    def note(figures: Epoch, best: bool) -> None:
        if figures.epoch == 2:
            taken.append(figures.seconds)

    few = images[torch.arange(100, device=images.labels.device)]
    settings: dict[str, Any] = {"epochs": 2, "batch_size": run.batch_size}
    settings["precision"] = Precision(run.precision)
    if graph:
        fit(trainings[0], images, few, pipeline, after_epoch=note, cuda_graph=True, **settings)
    else:
        notes = [note] * seeds
        fit_many(trainings, images, few, pipeline, after_epoch=notes, stacked=stacked, **settings)
    return taken[0] if stacked else sum(taken)  # a stacked pass is everybody's


def whole_run(run: RunConfig, dataset: Dataset, graph: bool) -> dict[str, float]:
    """Train a run with its validation; return its seconds and its last validation accuracy."""
    set_seeds(0, deterministic=False)
    steps = -(-len(dataset.train) // run.batch_size)
    training = build_training(run, steps, dataset.train.labels.device)
    epochs: list[Epoch] = []
    start = time.perf_counter()
    fit(
        training,
        dataset.train,
        dataset.val,
        build_pipeline(run),
        epochs=WHOLE,
        batch_size=run.batch_size,
        precision=Precision(run.precision),
        after_epoch=lambda figures, best: epochs.append(figures),
        cuda_graph=graph,
    )
    return {"seconds": time.perf_counter() - start, "val_acc": epochs[-1].val_acc}


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
    dataset = build_dataset(run).to(torch.device("cuda"))
    part = dataset.train[torch.arange(IMAGES, device="cuda")]
    contenders: dict[str, Callable[[], float]] = {}
    for name, precise in runs.items():
        contenders[f"one run, {name}"] = partial(second_pass, precise, part, 1)
        contenders[f"one run, {name}, graph"] = partial(second_pass, precise, part, 1, graph=True)
    for count in SEEDS:
        contenders[f"{count} seeds, as one"] = partial(second_pass, run, part, count, True)
        contenders[f"{count} seeds, one by one"] = partial(second_pass, run, part, count)
    found = alternate(contenders, repetitions)
    wholes = {f"graph={graph}": partial(whole_run, run, dataset, graph) for graph in (False, True)}
    lasting = alternate(wholes, min(repetitions, 2))
    title(f"seconds for {IMAGES:,} images a seed; {torch.cuda.get_device_name()}")
    for name, values in found.items():
        print(f"  {name:<24} {spread(values)}")
    for name, values in found.items():
        if name.startswith("one run"):
            print(f"  {name}: {spread([IMAGES / v for v in values], ',.0f')} images/s")
    for count in SEEDS:
        ratio = ratios(found[f"{count} seeds, one by one"], found[f"{count} seeds, as one"])
        print(f"  {count} seeds one by one / as one: {spread(ratio)}")
    for name, runs_of in lasting.items():
        accuracies = spread([each["val_acc"] for each in runs_of], ".4f")
        print(
            f"  {WHOLE} epochs of {len(dataset.train):,} images, {name}: "
            f"{spread([each['seconds'] for each in runs_of])} s, validation {accuracies}"
        )
    save("gpu", {"seconds": found, "whole_run": lasting, "gpu": torch.cuda.get_device_name()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
