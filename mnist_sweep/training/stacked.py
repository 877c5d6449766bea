"""Several seeds of one configuration trained as one: their parameters stacked, one step for all.

A network of this size leaves a GPU idle most of the time: ten of them in one step cost little more
than one. On the CPU, where the work of each step counts, they are trained one after another.
"""

import copy
import inspect
import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer, RAdam, RMSprop
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mnist_sweep.data import Images, Pipeline
from mnist_sweep.schedules import Schedule
from mnist_sweep.training.equivalence import alike
from mnist_sweep.training.loop import (
    AfterEpoch,
    Diverged,
    Precision,
    Training,
    TrainingPass,
    finish_epoch,
    fit,
    set_random_state,
)

# Their updates are elementwise, so that a stacked parameter's is the stack of the updates.
ELEMENTWISE = (SGD, Adam, AdamW, NAdam, RAdam, RMSprop)


def fit_many(
    trainings: Sequence[Training],
    train: Images,
    val: Images,
    pipeline: Pipeline,
    *,
    epochs: int,
    batch_size: int,
    precision: Precision,
    after_epoch: Sequence[AfterEpoch],
    stacked: bool | None = None,
) -> list[str | Diverged | None]:
    """Train runs of one configuration that differ in their seeds, as `fit` trains each.

    `stacked`: train them as one; None does so on a GPU where `why_not_stacked` has no objection.
    `after_epoch` has one function a run. A run that ends early leaves the others alone. Returns for
    each run why it ended early: what `fit` returns, or the Diverged that it raises. One after
    another they are what `fit` makes of each, to the bit. As one they agree with that up to
    rounding, but for dropout, whose masks are drawn for all at once.

    Raises ValueError when told to stack what cannot be stacked.
    """
    objection = why_not_stacked(trainings)
    if stacked is None:
        stacked = objection is None and train.labels.device.type == "cuda"
    if stacked and objection:
        raise ValueError(f"these runs cannot be trained as one: {objection}")
    if stacked:
        return _fit_stacked(
            trainings, train, val, pipeline, after_epoch, epochs, batch_size, precision
        )
    ends: list[str | Diverged | None] = []
    for training, after in zip(trainings, after_epoch, strict=True):
        try:
            reason = fit(
                training,
                train,
                val,
                pipeline,
                epochs=epochs,
                batch_size=batch_size,
                precision=precision,
                after_epoch=after,
            )
            ends.append(reason)
        except Diverged as diverged:
            ends.append(diverged)
    return ends


def why_not_stacked(trainings: Sequence[Training]) -> str | None:
    """Return why runs cannot be trained as one, or None where they can."""
    first = trainings[0]
    shapes = [{name: p.shape for name, p in t.model.named_parameters()} for t in trainings]
    if any(other != shapes[0] for other in shapes):
        return "their networks differ in shape"
    if not all(alike(training.model, first.model) for training in trainings):
        return "their networks differ in more than their weights"
    if any(not shape for shape in shapes[0].values()):
        return "a parameter of a single number looks like an optimizer's count of steps"
    if any(not p.requires_grad for t in trainings for p in t.model.parameters()):
        return "some of their parameters are frozen"
    if type(first.optimizer) not in ELEMENTWISE or len(first.optimizer.param_groups) > 1:
        return f"{type(first.optimizer).__name__} is not known to update each parameter on its own"
    hyperparameters = [_hyperparameters(t.optimizer) for t in trainings]
    if any(other != hyperparameters[0] for other in hyperparameters):
        return "their optimizers' settings differ"
    if any(isinstance(t.schedule.scheduler, ReduceLROnPlateau) for t in trainings):
        return "their learning rates follow their validation losses"
    schedules = [(t.schedule.state_dict(), _functions(t.schedule)) for t in trainings]
    if any(other != schedules[0] for other in schedules):
        return "their learning-rate schedules differ"
    if any(t.epoch != first.epoch for t in trainings):
        return "they are not at the same epoch"
    return None


def _functions(schedule: Schedule) -> list[object]:
    """Return which functions a schedule follows, and of what values: its state leaves them out."""
    return [
        (
            getattr(function, "__qualname__", function),
            [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()],
        )
        for function in getattr(schedule.scheduler, "lr_lambdas", ())
    ]


def _hyperparameters(optimizer: Optimizer) -> dict[str, object]:
    return {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}


class _Stack:
    """The parameters, buffers and optimizer state of several runs, each with a leading axis [K]."""

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.trainings = trainings
        models = [training.model for training in trainings]
        parameters, self.buffers = stack_module_state(models)
        self.parameters = {
            name: value.detach().requires_grad_() for name, value in parameters.items()
        }
        # functional_call needs the modules' code, not their values.
        self.skeleton = copy.deepcopy(models[0]).to("meta")
        for training in trainings:
            # torch's schedules want to see the optimizer that they know step once: without
            # gradients, that changes nothing.
            training.optimizer.zero_grad(set_to_none=True)
            training.optimizer.step()
        first = trainings[0].optimizer
        self.optimizer = _like(first, list(self.parameters.values()))
        for name, value in self.parameters.items():
            states = [t.optimizer.state.get(t.model.get_parameter(name), {}) for t in trainings]
            if states[0]:
                self.optimizer.state[value] = {
                    key: torch.stack([state[key] for state in states])
                    if _is_like(each, models[0].get_parameter(name))
                    else copy.deepcopy(each)
                    for key, each in states[0].items()
                }

    def forward(self, images: Tensor) -> Tensor:
        """Images [K, B, 1, 28, 28] -> logits [K, B, 10]."""
        run = vmap(self._call, randomness="different")
        logits: Tensor = run(self.parameters, self.buffers, images)
        return logits

    def _call(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor
    ) -> Tensor:
        logits: Tensor = functional_call(self.skeleton, (parameters, buffers), (images,))
        return logits

    def step(self) -> None:
        """Step every run, at the rate that its schedule says, which is the same for all."""
        self.optimizer.param_groups[0].update(_hyperparameters(self.trainings[0].optimizer))
        self.optimizer.step()
        for training in self.trainings:
            training.schedule.after_step()

    @torch.no_grad()
    def unstack(self) -> None:
        """Give every run its values."""
        for position, training in enumerate(self.trainings):
            for name, value in self.parameters.items():
                own = training.model.get_parameter(name)
                own.copy_(value[position])
                if value not in self.optimizer.state:
                    continue  # it has had no gradient
                training.optimizer.state[own] = {
                    key: state[position].clone() if _is_like(state, value) else copy.deepcopy(state)
                    for key, state in self.optimizer.state[value].items()
                }
            for name, value in self.buffers.items():
                training.model.get_buffer(name).copy_(value[position])


def _like(optimizer: Optimizer, parameters: list[Tensor]) -> Optimizer:
    """Return an optimizer of the same kind and settings over other parameters."""
    names = inspect.signature(type(optimizer)).parameters
    settings = {name: value for name, value in optimizer.defaults.items() if name in names}
    return type(optimizer)(parameters, **settings)


def _is_like(state: object, value: Tensor) -> bool:
    """Whether an optimizer's state belongs to each element, unlike a count of steps."""
    return isinstance(state, Tensor) and state.shape == value.shape


def _fit_stacked(
    trainings: Sequence[Training],
    train: Images,
    val: Images,
    pipeline: Pipeline,
    after_epoch: Sequence[AfterEpoch],
    epochs: int,
    batch_size: int,
    precision: Precision,
) -> list[str | Diverged | None]:
    ends: list[str | Diverged | None] = [None] * len(trainings)
    set_random_state(trainings[0].random)
    for _ in range(trainings[0].epoch, epochs):
        for position, training in enumerate(trainings):
            if ends[position] is None and training.early_stopping:
                ends[position] = training.early_stopping.reason
        running = [position for position, end in enumerate(ends) if end is None]
        if not running:
            break
        together = [trainings[position] for position in running]
        lr = float(together[0].optimizer.param_groups[0]["lr"])
        start = time.perf_counter()
        losses, accuracies = _train_epoch(together, train, pipeline, batch_size, precision)
        seconds = time.perf_counter() - start
        for position, training, train_loss, train_acc in zip(
            running, together, losses, accuracies, strict=True
        ):
            trained = TrainingPass(lr, train_loss, train_acc, seconds, len(train))
            after = after_epoch[position]
            try:
                ends[position] = finish_epoch(training, trained, val, pipeline, precision, after)
            except Diverged as diverged:
                ends[position] = diverged
    return ends


def _train_epoch(
    trainings: Sequence[Training],
    train: Images,
    pipeline: Pipeline,
    batch_size: int,
    precision: Precision,
) -> tuple[list[float], list[float]]:
    """One pass of every run over its own order of the images; return losses and accuracies."""
    for training in trainings:
        training.model.train()
    stack = _Stack(trainings)
    device = train.labels.device
    loss = torch.zeros(len(trainings), device=device)
    hits = torch.zeros(len(trainings), dtype=torch.int64, device=device)
    orders = [pipeline.training_batches(train, batch_size, t.generator) for t in trainings]
    for batches in zip(*orders, strict=True):
        images = torch.stack([images for images, _ in batches])  # [K, B, 1, 28, 28]
        labels = torch.stack([labels for _, labels in batches])  # [K, B]
        with precision.autocast(device):
            logits = stack.forward(images)  # [K, B, 10]
            each = F.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), reduction="none"
            ).view_as(labels)
        stack.optimizer.zero_grad(set_to_none=True)
        # A run's loss is its batch's mean; of their sum, each has the gradient of its own.
        each.mean(1).sum().backward()  # type: ignore[no-untyped-call]
        stack.step()
        loss += each.detach().sum(1)
        hits += (logits.detach().argmax(2) == labels).sum(1)
    stack.unstack()
    return (loss / len(train)).tolist(), (hits / len(train)).tolist()
