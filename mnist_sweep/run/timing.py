"""What a run will cost on this machine, found out before it begins: nothing is written.

A few training steps are timed on the objects that the run would have. What they compute on does not
matter, so images that are still to be downloaded are replaced by random ones.
"""

import io
import math
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import save

from mnist_sweep.config import RunConfig
from mnist_sweep.config_checks import advice
from mnist_sweep.data import Dataset, Images
from mnist_sweep.data.sources import PUBLISHED, missing_files, raw_folder
from mnist_sweep.files import DATA_ROOT, users_folder
from mnist_sweep.models.cost import Cost
from mnist_sweep.run.build import (
    build_dataset,
    build_loss,
    build_pipeline,
    build_training,
    check_batches,
    check_cuda_graph,
    check_objects,
    choose_layout,
    count_within_budget,
    lay_out,
    uses_cuda_graph,
)
from mnist_sweep.run.directory import plain_weights
from mnist_sweep.run.machine import choose_device, set_seeds, set_threads
from mnist_sweep.run.teacher import read_teacher
from mnist_sweep.training.distillation import Teacher
from mnist_sweep.training.epochs import Epoch
from mnist_sweep.training.loop import Diverged, Precision, Recipe, Training, fit

BLOCKS = 8  # measurements of a few steps each
FEWEST, PATIENCE = 3, 2.0  # of them where other programs slow them down to so many times the time
OWN = 0.85  # of the time a thread that computes has its core, unless other programs want it
DISTURBED = "other programs used the processor while it was timed: without them it is quicker"
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
class DiskUse:
    """Bytes of a run's records, of its best weights, and of the checkpoint that it resumes from."""

    records: int
    weights: int
    checkpoint: int


@dataclass(frozen=True)
class Timed:
    """`epoch_seconds`: an epoch's seconds by each measurement; `notes`: what disturbed them."""

    epoch_seconds: tuple[float, ...]
    disk: DiskUse
    notes: tuple[str, ...] = ()


def planned(run: RunConfig, name: str) -> Planned:
    """Check a run as `execute` does, but for what only its directory or a download can say.

    Raises what building a run raises, and DataError for data that is not here and whose size is not
    known.
    """
    cost = count_within_budget(run, name)
    check_objects(run)
    dataset, notes = _dataset(run)
    said = advice(run)
    return Planned(run, name, cost, dataset, (*notes, said) if said else notes)


def timed(plan: Planned, seconds: float) -> Timed:
    """Train a run's network for so many seconds; return what its epochs will take.

    An epoch is its training pass, its evaluation, and what is written after it. Raises what reading
    a teacher raises, and ConfigError for a graph without a GPU.
    """
    device = choose_device(plan.run.device)
    check_cuda_graph(plan.run, device)
    set_threads(plan.run.threads)
    blocks = _Blocks(plan, device)
    blocks.take(WARM_UP)
    blocks.measure()
    pace = blocks.measure()[0]
    blocks.take(max(WARM_UP, round(seconds / BLOCKS / pace)))
    if blocks.teacher is not None:
        blocks.measure()  # the outputs of the teacher, which are computed once
    found: list[tuple[float, float]] = []
    end = time.monotonic() + PATIENCE * seconds
    wall, processor = time.perf_counter(), time.process_time()
    while len(found) < BLOCKS and (len(found) < FEWEST or time.monotonic() < end):
        found.append(blocks.measure())
    share = (time.process_time() - processor) / (time.perf_counter() - wall)
    disturbed = device.type == "cpu" and share < OWN
    evaluation = statistics.median(each for _, each in found)
    steps = plan.images / plan.run.batch_size  # the last one may be short
    return Timed(
        tuple(steps * step + evaluation + EPOCH_OVERHEAD for step, _ in found),
        _disk(plan.run, blocks.training),
        (DISTURBED,) if disturbed else (),
    )


class _Blocks:
    """Epochs of a few steps of a run, by the loop that trains it."""

    def __init__(self, plan: Planned, device: torch.device) -> None:
        run = plan.run
        self.teacher: Teacher | None = None
        if run.distill.teacher is not None:
            self.teacher, _ = read_teacher(run.distill.teacher, None, device, None)
        set_seeds(run.seed, run.deterministic)
        # More is trained than the run has, and its schedule must know so many epochs.
        stopping = replace(run.early_stopping, patience=None)
        longer = replace(run, epochs=run.epochs + BLOCKS + 3, early_stopping=stopping)
        self.training = build_training(longer, plan.steps, device)
        lay_out(self.training, choose_layout(run, device))
        self.cuda_graph = uses_cuda_graph(run, self.training.model, device)
        # Of a run that ends without augmentation, the epochs that have it count.
        always = replace(run.data, augmentation=replace(run.data.augmentation, until=1))
        self.pipeline = build_pipeline(replace(run, data=always))
        self.precision = Precision(run.precision)
        self.run, self.dataset = run, plan.dataset.to(device)
        self.images, self.val = self.dataset.train, _first(self.dataset.val, EVALUATED)

    def take(self, steps: int) -> None:
        """Have the epochs to come so many steps, but no more than the run's."""
        self.images = _first(self.dataset.train, steps * self.run.batch_size)
        if self.teacher is not None:
            self.teacher = replace(self.teacher, outputs=None)  # it has those of other images

    def measure(self) -> tuple[float, float]:
        """Train such an epoch; return the seconds of a step, and of a whole evaluation."""
        ended: list[tuple[Epoch, float]] = []

        def note(figures: Epoch, is_best: bool) -> None:
            ended.append((figures, time.perf_counter()))

        began = time.perf_counter()
        with suppress(Diverged):  # what it computes does not matter
            fit(
                self.training,
                self.images,
                self.val,
                self.pipeline,
                epochs=self.training.epoch + 1,
                batch_size=self.run.batch_size,
                precision=self.precision,
                after_epoch=note,
                cuda_graph=self.cuda_graph,
                recipe=Recipe(build_loss(self.run), self.run.clip_norm, self.teacher),
            )
        figures, end = ended[0]
        evaluation = (end - began - figures.seconds) * len(self.dataset.val) / len(self.val)
        return figures.seconds / math.ceil(len(self.images) / self.run.batch_size), evaluation


def _first(split: Images, count: int) -> Images:
    return split[torch.arange(min(count, len(split)), device=split.labels.device)]


def _disk(run: RunConfig, training: Training) -> DiskUse:
    """Return what a run's directory holds with these weights and this state of the optimizer."""
    state: dict[str, Any] = {"training": training.state_dict(), "fingerprint": "", "seconds": 0.0}
    content = io.BytesIO()
    torch.save(state, content)
    epochs, tensorboard = run.epochs, run.tracking.tensorboard
    records = RECORDS + epochs * EPOCH_RECORDS
    if tensorboard:
        modules = sum(not any(module.children()) for module in training.model.modules())
        records += epochs * EPOCH_SCALARS + (GRAPH_MODULE * modules if tensorboard.graph else 0)
    return DiskUse(records, len(save(plain_weights(training.model))), content.tell())


def _dataset(run: RunConfig) -> tuple[Dataset, tuple[str, ...]]:
    """Return a run's data set without downloading it, and what is assumed where it is not here."""
    data = run.data
    raw = raw_folder(users_folder("data.root", data.root, DATA_ROOT), data.folder)
    absent = data.name != "mnist_5k" and data.download and bool(missing_files(raw))
    if not absent or data.folder not in PUBLISHED:
        here = replace(run, data=replace(data, download=False))
        return build_dataset(here), ()
    train, test = PUBLISHED[data.folder]
    name = "mnist" if data.name == "auto" else data.name
    images = _random_images(train - data.validation, data.validation, test)
    dataset = replace(images, name=name, copies={})
    check_batches(run, dataset)
    note = (
        f"the data is not in {raw}: a run would download it first; "
        f"its {train:,} training images are assumed"
    )
    if data.name == "auto":
        note += "; if no mirror answers, it would take mnist_5k instead (data=mnist_5k plans that)"
    return dataset, (note,)


@lru_cache(maxsize=1)
def _random_images(train: int, val: int, test: int) -> Dataset:
    """Return splits of so many images, all from a few random ones."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (512, 28, 28), generator=generator, dtype=torch.uint8)

    def split(count: int) -> Images:
        members = torch.randint(len(pixels), (count,), generator=generator)
        return Images(pixels, torch.randint(10, (count,), generator=generator), members)

    return Dataset("", "still to be downloaded", split(train), split(val), split(test), "")
