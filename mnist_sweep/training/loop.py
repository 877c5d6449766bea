"""The loop over epochs and steps, on objects that `run.build` makes."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn
from torch.optim import Optimizer

from mnist_sweep.data import Images, Pipeline
from mnist_sweep.data.batches import EVALUATION_BATCH
from mnist_sweep.errors import UserError
from mnist_sweep.schedules import Schedule
from mnist_sweep.training.averaging import Averaging
from mnist_sweep.training.cuda_graph import Captured, Pass
from mnist_sweep.training.distillation import Teacher
from mnist_sweep.training.epochs import BestEpoch, Criterion, EarlyStopping, Epoch
from mnist_sweep.training.losses import Loss


class Diverged(UserError):
    """The training loss is no longer a finite number."""


def random_state() -> dict[str, Any]:
    """Return where torch's own generators stand, from which layers such as dropout draw."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch_rng": torch.get_rng_state(), "cuda_rng": cuda}


def set_random_state(state: dict[str, Any]) -> None:
    """Restore torch's own random generators from there."""
    torch.set_rng_state(state["torch_rng"].cpu())
    if torch.cuda.is_available() and state["cuda_rng"]:
        torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])


@dataclass
class Training:
    """A run in progress: all that changes from epoch to epoch and must survive a restart.

    `generator` decides order and augmentation. `random` is where torch's own generators stood when
    the run was built, or after its last epoch: what it draws does not depend on runs beside it.
    """

    model: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    generator: torch.Generator
    kept: BestEpoch = field(default_factory=lambda: BestEpoch(Criterion()))
    early_stopping: EarlyStopping | None = None
    epoch: int = 0
    random: dict[str, Any] = field(default_factory=random_state)
    averaging: Averaging | None = None

    @property
    def judged(self) -> nn.Module:
        """The network that is validated and may be kept: of averaged weights where there are."""
        return self.averaging.model if self.averaging else self.model

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain data only, so that it loads with weights_only=True."""
        stopping = self.early_stopping
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            **self.random,
            "kept": self.kept.state_dict(),
            "early_stopping": stopping.best.state_dict() if stopping else None,
            **({"averaging": self.averaging.state_dict()} if self.averaging else {}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state, whichever device it was saved on."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"].cpu())
        self.random = {name: state[name] for name in ("torch_rng", "cuda_rng")}
        self.kept.load_state_dict(state["kept"])
        if self.early_stopping and state["early_stopping"]:
            self.early_stopping.best.load_state_dict(state["early_stopping"])
        if self.averaging:
            self.averaging.load_state_dict(state["averaging"])


@dataclass(frozen=True)
class Precision:
    """The number format of forward passes: float32, or bfloat16 by autocast."""

    name: str = "float32"

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context that a forward pass runs in."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """What a step minimizes, the norm its gradients are scaled down to, and whom it learns from."""

    loss: Loss = field(default_factory=Loss)
    clip_norm: float | None = None
    teacher: Teacher | None = None


def forward_backward(
    training: Training,
    precision: Precision,
    images: Tensor,
    labels: Tensor,
    teacher: Tensor | None = None,
    *,
    minimized: Loss = Loss(),  # noqa: B008 - it cannot be changed
) -> tuple[Tensor, Tensor]:
    """Leave a batch's gradients in the parameters; return its summed loss and its hits.

    `teacher`: a teacher's logits for the images, [B, 10].
    """
    with precision.autocast(images.device):
        logits = training.model(images)  # [B, 10]
        loss = minimized(logits, labels, teacher)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach() * len(labels), (logits.detach().argmax(1) == labels).sum()


def train_step(
    training: Training, batch: tuple[Tensor, ...], work: Pass, clip_norm: float | None = None
) -> tuple[Tensor, Tensor]:
    """One optimizer step; return the batch's summed loss and its number of hits, unsynchronized."""
    loss, hits = work(*batch)
    if clip_norm is not None:
        # Gradients that are not finite make weights that are not, and those the loss: Diverged.
        nn.utils.clip_grad_norm_(training.model.parameters(), clip_norm)
    training.optimizer.step()
    training.schedule.after_step()
    if training.averaging:
        training.averaging.after_step(training.model)
    return loss, hits


def train_epoch(
    training: Training,
    batches: Iterable[tuple[Tensor, ...]],
    work: Pass,
    clip_norm: float | None = None,
) -> tuple[float, float]:
    """Step once a batch; return loss and accuracy as sums over samples divided by their number.

    Nothing is read from the device before the end.
    """
    training.model.train()
    device = next(training.model.parameters()).device
    loss = torch.zeros((), device=device)
    hits = torch.zeros((), dtype=torch.int64, device=device)
    samples, threads = 0, torch.get_num_threads()
    try:
        for batch in batches:
            batch_loss, batch_hits = train_step(training, batch, work, clip_norm)
            loss += batch_loss
            hits += batch_hits
            samples += len(batch[1])
    finally:
        torch.set_num_threads(threads)  # an interrupt may find a layer with fewer
    return loss.item() / samples, hits.item() / samples


@torch.inference_mode()
def evaluate(
    model: nn.Module, split: Images, pipeline: Pipeline, precision: Precision
) -> tuple[float, float]:
    """Return mean cross entropy in nats and accuracy over a split, in evaluation mode.

    Sums over samples divided by their number: a mean of batch means miscounts a short last batch.
    """
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=split.labels.device)
    hits = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    for images, labels in pipeline.evaluation_batches(split, EVALUATION_BATCH[loss.device.type]):
        with precision.autocast(images.device):
            logits = model(images)  # [B, 10]
        loss += F.cross_entropy(logits.float(), labels, reduction="sum")
        hits += (logits.argmax(1) == labels).sum()
    return loss.item() / len(split), hits.item() / len(split)


@dataclass(frozen=True)
class TrainingPass:
    """One pass over the training images: the rate of its first step, its figures, its seconds."""

    lr: float
    loss: float
    accuracy: float
    seconds: float
    images: int


AfterEpoch = Callable[[Epoch, bool], str | None]


def fit(
    training: Training,
    train: Images,
    val: Images,
    pipeline: Pipeline,
    *,
    epochs: int,
    batch_size: int,
    precision: Precision,
    after_epoch: AfterEpoch,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda batches, epoch: batches,
    cuda_graph: bool = False,
    recipe: Recipe = Recipe(),
) -> str | None:
    """Train from `training.epoch` to `epochs`, on a GPU by replaying a graph where that is asked.

    `after_epoch(figures, is_best)` is called when the state is ready to be saved; a string it
    returns ends the run. `progress` wraps an epoch's batches. Returns the reason for an early end,
    or None. Raises Diverged, after the epoch is recorded, when the training loss is not finite.
    """
    work: Pass = partial(forward_backward, training, precision, minimized=recipe.loss)
    if cuda_graph:
        deterministic = torch.are_deterministic_algorithms_enabled()
        taught = recipe.teacher is not None
        mode = f"{precision.name}, deterministic={deterministic}, {recipe.loss}, taught={taught}"
        work = Captured(work, training.model, batch_size, mode)
    set_random_state(training.random)
    while training.epoch < epochs:
        if training.early_stopping and training.early_stopping.reason:
            return training.early_stopping.reason
        lr = float(training.optimizer.param_groups[0]["lr"])
        start = time.perf_counter()
        number = training.epoch + 1
        batches = batches_of(recipe, train, pipeline.in_epoch(number), batch_size, training)
        train_loss, train_acc = train_epoch(
            training, progress(batches, number), work, recipe.clip_norm
        )
        seconds = time.perf_counter() - start
        trained = TrainingPass(lr, train_loss, train_acc, seconds, len(train))
        reason = finish_epoch(training, trained, val, pipeline, precision, after_epoch)
        if reason:
            return reason
    return None


def batches_of(
    recipe: Recipe, train: Images, pipeline: Pipeline, batch_size: int, training: Training
) -> Iterable[tuple[Tensor, ...]]:
    """Return an epoch's batches: images, labels and, where there is one, a teacher's logits."""
    if recipe.teacher is None:
        return pipeline.training_batches(train, batch_size, training.generator)
    return recipe.teacher.batches(train, pipeline, batch_size, training.generator)


def finish_epoch(
    training: Training,
    trained: TrainingPass,
    val: Images,
    pipeline: Pipeline,
    precision: Precision,
    after_epoch: AfterEpoch,
) -> str | None:
    """Evaluate, and take in an epoch; return why the run should end, or None. Raises Diverged."""
    val_loss, val_acc = evaluate(training.judged, val, pipeline, precision)
    figures = Epoch(
        epoch=training.epoch + 1,
        lr=trained.lr,
        train_loss=trained.loss,
        train_acc=trained.accuracy,
        val_loss=val_loss,
        val_acc=val_acc,
        seconds=trained.seconds,
        images_per_second=trained.images / trained.seconds,
    )
    training.schedule.after_epoch(figures.val_loss)
    training.epoch, training.random = figures.epoch, random_state()
    is_best = training.kept.update(figures)
    if training.early_stopping:
        training.early_stopping.best.update(figures)
    reason = after_epoch(figures, is_best)
    if reason is None and not math.isfinite(figures.train_loss):
        raise Diverged(
            f"training diverged in epoch {figures.epoch}: train_loss is {figures.train_loss}; "
            f"try a lower optimizer.lr than {figures.lr:g}"
        )
    return reason
