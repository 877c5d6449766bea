"""What a run will cost on this machine, found out before it begins: nothing is written.

A few training steps are timed on the objects that the run would have. What they compute on does not
matter, so images that are still to be downloaded are replaced by random ones.
"""

import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from mnist_sweep.config import RunConfig
from mnist_sweep.data import Dataset, Images, Pipeline
from mnist_sweep.data.sources import missing_files, raw_folder
from mnist_sweep.models.cost import Cost, on_meta
from mnist_sweep.models.layout import set_layout
from mnist_sweep.run.build import (
    build_dataset,
    build_model,
    build_pipeline,
    build_training,
    check_batches,
    check_budget,
    check_objects,
    choose_layout,
)
from mnist_sweep.run.directory import plain_weights
from mnist_sweep.run.machine import choose_device, set_seeds, set_threads
from mnist_sweep.training.cuda_graph import Captured, Pass, repeats
from mnist_sweep.training.loop import (
    Precision,
    Training,
    evaluate,
    forward_backward,
    train_epoch,
)

# Training and test images of the sets of this size that torchvision downloads, as published.
PUBLISHED = {"MNIST": (60_000, 10_000), "FashionMNIST": (60_000, 10_000), "KMNIST": (60_000, 10_000)}
BLOCKS = 8  # measurements of a few steps each
WARM_UP = 3  # steps before them: libraries choose their kernels and allocate in the first ones
EVALUATED = 1_000  # images that evaluation is timed on

# Seconds of a trial beside its epochs, in a warm worker, and of an epoch beside its passes:
# medians of benchmarks/overhead.py on 2 cores, in docs/performance.md.
OVERHEAD, EPOCH_OVERHEAD = 0.6, 0.013

# Bytes of what a run directory has beside its checkpoints, as enhanced leaves them on mnist_5k: the
# record of the config, the result and the log; TensorBoard's graph, by the modules that have no
# parts; metrics.jsonl and TensorBoard's scalars.
RECORDS, GRAPH_MODULE, EPOCH_RECORDS, EPOCH_SCALARS = 8_800, 1_250, 215, 330


@dataclass(frozen=True)
class Planned:
    """A run that could begin. `images`: of an epoch; `notes`: what is assumed of the data."""

    run: RunConfig
    name: str
    cost: Cost
    dataset: Dataset
    notes: tuple[str, ...]
    overhead: float = OVERHEAD

    @property
    def images(self) -> int:
        """Training images of an epoch."""
        return len(self.dataset.train)

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return math.ceil(self.images / self.run.batch_size)


@dataclass(frozen=True)
class Timed:
    """`epoch_seconds`: an epoch's seconds by each measurement; `bytes`: of the run's directory."""

    epoch_seconds: tuple[float, ...]
    bytes: int


def planned(run: RunConfig, name: str) -> Planned:
    """Check a run as `execute` does, but for what only its directory or a download can say.

    Raises what building a run raises, and DataError for data that is not here and whose size is not
    known.
    """
    cost = check_budget(run, name)
    check_objects(run)
    dataset, notes = _dataset(run)
    return Planned(run, name, cost, dataset, notes)


def timed(plan: Planned, seconds: float) -> Timed:
    """Train a run's network for so many seconds; return what its epochs will take.

    An epoch is its training pass, its evaluation, and what is written after it.
    """
    run = plan.run
    device = choose_device(run.device)
    set_threads(run.threads)
    set_seeds(run.seed, run.deterministic)
    dataset = plan.dataset.to(device)
    pipeline, precision = build_pipeline(run), Precision(run.precision)
    # A schedule may end with its run, and steps may be quick: more than a run's are timed.
    longer = replace(run, epochs=run.epochs + 100)
    training = build_training(longer, plan.steps, device)
    set_layout(training.model, choose_layout(run, device))
    work = _pass(run, training, precision, device)
    batches = _endless(pipeline, dataset.train, run.batch_size, training.generator)
    passes = _blocks(training, batches, work, seconds, 100 * plan.steps)
    evaluation = _evaluation(training.model, dataset.val, pipeline, precision)
    steps = plan.images / run.batch_size  # the last one may be short
    epochs = tuple(steps * each + evaluation + EPOCH_OVERHEAD for each in passes)
    return Timed(epochs, _bytes(run, training))


def _pass(
    run: RunConfig, training: Training, precision: Precision, device: torch.device
) -> Pass:
    work: Pass = partial(forward_backward, training, precision)
    graph = repeats(training.model) if run.cuda_graph is None else run.cuda_graph
    if graph and device.type == "cuda":
        mode = f"{precision.name}, deterministic={run.deterministic}"
        return Captured(work, training.model, run.batch_size, mode)
    return work


def _endless(
    pipeline: Pipeline, train: Images, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from pipeline.training_batches(train, batch_size, generator)


def _blocks(
    training: Training,
    batches: Iterator[tuple[Tensor, Tensor]],
    work: Pass,
    seconds: float,
    most: int,
) -> list[float]:
    """Return the seconds of a step by each of some measurements, of at most so many steps in all.

    Each ends by reading its loss from the device, which waits for the work.
    """

    def step_seconds(steps: int) -> float:
        start = time.perf_counter()
        train_epoch(training, islice(batches, steps), work)
        return (time.perf_counter() - start) / steps

    step_seconds(WARM_UP)
    pace = step_seconds(WARM_UP)
    steps = max(1, min(round(seconds / BLOCKS / pace), most // BLOCKS - WARM_UP))
    return [step_seconds(steps) for _ in range(BLOCKS)]


def _evaluation(model: nn.Module, val: Images, pipeline: Pipeline, precision: Precision) -> float:
    """Return the seconds that evaluating the validation images takes."""
    part = val[torch.arange(min(EVALUATED, len(val)), device=val.labels.device)]
    start = time.perf_counter()
    evaluate(model, part, pipeline, precision)
    return (time.perf_counter() - start) * len(val) / len(part)


def _bytes(run: RunConfig, training: Training) -> int:
    """Return the bytes of a run directory with these weights and this state of the optimizer."""
    state: dict[str, Any] = {"training": training.state_dict(), "fingerprint": "", "seconds": 0.0}
    content = io.BytesIO()
    torch.save(state, content)
    checkpoints = content.tell() + len(save(plain_weights(training.model)))
    epochs, tensorboard = run.epochs, run.tracking.tensorboard
    records = RECORDS + epochs * EPOCH_RECORDS
    if tensorboard:
        modules = sum(not any(module.children()) for module in training.model.modules())
        records += epochs * EPOCH_SCALARS + (GRAPH_MODULE * modules if tensorboard.graph else 0)
    return checkpoints + records


def _dataset(run: RunConfig) -> tuple[Dataset, tuple[str, ...]]:
    """Return a run's data set without downloading it, and what is assumed where it is not here."""
    data = run.data
    raw = raw_folder(Path(data.root or "data").expanduser(), data.folder)
    absent = data.name != "mnist_5k" and data.download and bool(missing_files(raw))
    if not absent or data.folder not in PUBLISHED:
        here = replace(run, data=replace(data, download=False))
        return build_dataset(here), ()
    train, test = PUBLISHED[data.folder]
    dataset = _random_images(train - data.validation, data.validation, test)
    check_batches(run, dataset)
    note = (
        f"the data is not in {raw}: a run would download it first; "
        f"its {train:,} training images are assumed"
    )
    if data.name == "auto":
        note += ". Where no mirror answers it would take mnist_5k, with 4,000: data=mnist_5k plans that"
    return dataset, (note,)


@lru_cache(maxsize=1)
def _random_images(train: int, val: int, test: int) -> Dataset:
    """Return splits of so many images, all from a few random ones."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (512, 28, 28), generator=generator, dtype=torch.uint8)

    def split(count: int) -> Images:
        members = torch.randint(len(pixels), (count,), generator=generator)
        return Images(pixels, torch.randint(10, (count,), generator=generator), members)

    return Dataset("random", "not downloaded", split(train), split(val), split(test), "")
