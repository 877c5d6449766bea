"""One GPU: images a second of a run, with and without a CUDA graph; whole runs both ways.

    make bench-gpu [REPETITIONS=5]

Trains the enhanced network in batches of 32 on the training images of MNIST (MNIST_SWEEP_DATA),
which lie on the device; evaluation is left out, but of whole runs, whose accuracies stand beside
their seconds. Where there is no GPU it says so and measures nothing.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from hydra import compose, initialize_config_dir

from benchmarks.common import alternate, need_gpu, ratios, save, spread, title
from mnist_sweep import train
from mnist_sweep.config import RunConfig
from mnist_sweep.config_checks import check
from mnist_sweep.data import Dataset, Images
from mnist_sweep.run.build import build_dataset, build_pipeline, build_training
from mnist_sweep.run.machine import set_seeds
from mnist_sweep.training.cuda_graph import KEPT
from mnist_sweep.training.epochs import Epoch
from mnist_sweep.training.loop import Precision, fit

IMAGES, WHOLE = 10_000, 5  # a repetition's images; the epochs of a whole run


def second_pass(run: RunConfig, images: Images, graph: bool) -> float:
    """Train a run for two epochs; return the seconds of the second.

    The first one has what is done once: choosing kernels, allocating, recording a graph.
    """
    epochs = train_run(run, images, images[torch.arange(100, device="cuda")], 2, graph)
    return epochs[-1].seconds


def whole_run(run: RunConfig, dataset: Dataset, graph: bool) -> dict[str, float]:
    """Train a run with its validation; return its seconds and its last validation accuracy."""
    KEPT.clear()  # it records its own graph
    start = time.perf_counter()
    epochs = train_run(run, dataset.train, dataset.val, WHOLE, graph)
    return {"seconds": time.perf_counter() - start, "val_acc": epochs[-1].val_acc}


def train_run(run: RunConfig, images: Images, val: Images, epochs: int, graph: bool) -> list[Epoch]:
    """Train a run, and return what its epochs came to."""
    set_seeds(0, deterministic=False)
    training = build_training(run, -(-len(images) // run.batch_size), images.labels.device)
    found: list[Epoch] = []
    fit(
        training,
        images,
        val,
        build_pipeline(run),
        epochs=epochs,
        batch_size=run.batch_size,
        precision=Precision(run.precision),
        after_epoch=lambda figures, best: found.append(figures),
        cuda_graph=graph,
    )
    return found


def main(repetitions: int) -> None:
    """Measure steps in both precisions, and whole runs."""
    need_gpu()
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
        contenders[name] = partial(second_pass, precise, part, False)
        contenders[f"{name}, graph"] = partial(second_pass, precise, part, True)
    found = alternate(contenders, repetitions)
    wholes = {f"graph={graph}": partial(whole_run, run, dataset, graph) for graph in (False, True)}
    lasting = alternate(wholes, repetitions)
    title(f"images a second in batches of {run.batch_size}; {torch.cuda.get_device_name()}")
    for name, values in found.items():
        print(f"  {name:<16} {spread([IMAGES / value for value in values], ',.0f')}")
    for name in runs:
        ratio = ratios(found[name], found[f"{name}, graph"])
        print(f"  {name}, graph / without: {spread(ratio)}")
    for name, runs_of in lasting.items():
        accuracies = spread([each["val_acc"] for each in runs_of], ".4f")
        print(
            f"  {WHOLE} epochs of {len(dataset.train):,} images, {name}: "
            f"{spread([each['seconds'] for each in runs_of])} s, validation {accuracies}"
        )
    save("gpu", {"seconds": found, "whole_run": lasting, "gpu": torch.cuda.get_device_name()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
