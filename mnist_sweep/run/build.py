"""From checked config to objects, and the budget check that comes before everything else."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mnist_sweep.config import ConfigError, RunConfig
from mnist_sweep.config_checks import augmented_epochs
from mnist_sweep.data import Augmentation, Dataset, Pipeline, load_dataset
from mnist_sweep.errors import UserError
from mnist_sweep.files import check_folder
from mnist_sweep.models import Compact
from mnist_sweep.models.cost import (
    BudgetExceeded,
    Cost,
    count_multiply_adds,
    count_parameters,
    largest_fitting,
    on_meta,
)
from mnist_sweep.models.layout import MEMORY_FORMATS, Layout, set_layout, training_layout
from mnist_sweep.run.targets import build, check_node
from mnist_sweep.schedules import Schedule
from mnist_sweep.text import one_line, shortened
from mnist_sweep.training.averaging import Averaging
from mnist_sweep.training.cuda_graph import repeats
from mnist_sweep.training.epochs import BestEpoch, Criterion, EarlyStopping
from mnist_sweep.training.loop import Training
from mnist_sweep.training.losses import Loss


def model_name(recorded: Mapping[str, Any] | None, node: Mapping[str, Any]) -> str:
    """Return what the user calls a model: as a run recorded it, else by its class."""
    return str((recorded or {}).get("model") or str(node["_target_"]).rpartition(".")[2])


def build_model(node: Any) -> nn.Module:
    """Build a model from its node. Raises ConfigError."""
    model = build("model", node)
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"model._target_={node['_target_']} does not build a torch.nn.Module: {model!r}"
        )
    return model


def count_model(node: Any, name: str) -> tuple[nn.Module, int]:
    """Build a model on the meta device and count it; return both.

    `name` is what the user calls the model. Raises ConfigError when it cannot be built or has a
    state that cannot be saved, UnknownCost for lazy modules.
    """
    with _on_meta_or(name):
        model = on_meta(lambda: build_model(node))
        parameters = count_parameters(model)
        _check_state(model, name)
        return model, parameters


def _check_state(model: nn.Module, name: str) -> None:
    """Refuse what the weights of a run could not be saved with: a state that is no tensor."""
    for key, value in model.state_dict().items():
        if not isinstance(value, Tensor):
            raise ConfigError(
                f"model={name} has a {type(value).__name__} in its state_dict ({shortened(key)}), "
                "and a run saves tensors only: make that a buffer (register_buffer), or leave out "
                "get_extra_state"
            )


def widths_of(model: nn.Module) -> str | None:
    """Return the widths that a model has chosen itself, as a line; None for others."""
    return model.plan.outline if isinstance(model, Compact) else None


def check_budget(run: RunConfig, name: str) -> Cost:
    """Count a run's model on the meta device, or raise BudgetExceeded.

    What would fit is left to `what_fits`, a search that a sweep's gate need not pay for. Raises
    what `count_model` does, and ConfigError when the model takes no 1x28x28 image.
    """
    model, parameters = count_model(run.model, name)
    limit = run.budget.max_parameters
    if limit is not None and parameters > limit:
        raise BudgetExceeded(
            f"model={name} has {parameters:,} parameters, {parameters - limit:,} more than "
            f"budget.max_parameters={limit:,} allows",
            parameters=parameters,
            limit=limit,
        )
    # Second, since its first use imports for a second, which a refusal need not wait for.
    return Cost(parameters, multiply_adds_of(model, name))


def multiply_adds_of(model: nn.Module, name: str) -> int:
    """Return the multiply-adds of a model that `count_model` has built.

    Raises ConfigError when it takes no 1x28x28 image, WrongOutput for other than ten logits.
    """
    with _on_meta_or(name):
        return count_multiply_adds(model)


@contextmanager
def _on_meta_or(name: str) -> Iterator[None]:
    """Say in one line what a user's model raises, which can be anything."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise ConfigError(
            f"model={name} cannot be counted on the meta device for images [B, 1, 28, 28]: "
            f"{type(error).__name__}: {shortened(error)}"
        ) from error


def what_fits(node: Any, limit: int) -> str:
    """Say which smaller `width` or `hidden`, or a `fill`, meets the budget, and how to lift it."""
    target, settings = check_node("model", node, ())
    suggestions = _filled(target, settings, limit)
    for setting, unit in (("width", 0.01), ("hidden", 1)):
        current = settings.get(setting)
        if type(current) is not type(unit):  # a user's width or hidden may be anything
            continue

        def count(units: int, setting: str = setting, unit: float = unit) -> int:
            changed = {**settings, setting: round(units * unit, 2)}
            return count_parameters(on_meta(lambda: target(**changed)))

        try:
            units = largest_fitting(range(1, round(current / unit)), count, limit)
            value = round(units * unit, 2)
            suggestions.append(f"model.{setting}={value:g} would fit ({count(units):,})")
        except Exception:  # a hint must never stand in the way of the refusal
            continue
    suggestions.append("budget.max_parameters=null lifts the budget")
    return ", ".join(suggestions)


def _filled(target: Callable[..., nn.Module], settings: Mapping[str, Any], limit: int) -> list[str]:
    """Say what a network meets the budget by that can be as wide as that allows; [] for others."""
    if "fill" not in settings:
        return []
    try:
        parameters = count_parameters(on_meta(lambda: target(**{**settings, "fill": 1.0})))
    except Exception:  # a hint must never stand in the way of the refusal
        return []
    if parameters <= limit:
        return [f"model.fill=1 would fit ({parameters:,})"]
    return [f"its narrowest has {parameters:,}: take fewer stages or convolutions"]


def count_within_budget(run: RunConfig, name: str) -> Cost:
    """Count a run's model as `check_budget` does, or raise BudgetExceeded with what would fit."""
    try:
        return check_budget(run, name)
    except BudgetExceeded as error:
        hint = what_fits(run.model, error.limit)
        raise BudgetExceeded(f"{error}; {hint}", error.parameters, error.limit) from None


def build_optimizer(node: Any, parameters: list[nn.Parameter]) -> Optimizer:
    """Build the optimizer over some parameters. Raises ConfigError."""
    optimizer = build("optimizer", node, params=parameters)
    if not isinstance(optimizer, Optimizer):
        raise ConfigError(
            f"optimizer._target_={node['_target_']} does not build a torch.optim.Optimizer"
        )
    return optimizer


def state_after_a_step(node: Any, parameters: list[nn.Parameter]) -> dict[Any, Any]:
    """Return what an optimizer has of each parameter, by its number, after its first step.

    The step is taken with copies of the parameters, which stay as they are.
    """
    copies = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    for copy in copies:
        copy.grad = torch.zeros_like(copy)
    optimizer = build_optimizer(node, copies)
    optimizer.step()
    return dict(optimizer.state_dict()["state"])


def build_schedule(node: Any, optimizer: Optimizer, epochs: int, steps_per_epoch: int) -> Schedule:
    """Build the learning-rate schedule of an optimizer. Raises ConfigError."""
    schedule = build(
        "scheduler", node, optimizer=optimizer, epochs=epochs, steps_per_epoch=steps_per_epoch
    )
    if not isinstance(schedule, Schedule):
        raise ConfigError(
            f"scheduler._target_={node['_target_']} must return a mnist_sweep.schedules.Schedule, "
            f"but returned a {type(schedule).__name__}"
        )
    return schedule


def build_pipeline(run: RunConfig) -> Pipeline:
    """Build what happens to pixels. Raises ConfigError."""
    settings = dict(vars(run.data.augmentation))
    until = settings.pop("until")
    try:
        augmentation = Augmentation(**settings)
    except ValueError as error:
        raise ConfigError(f"data.augmentation: {error}") from error
    augmented = None if until == 1 else augmented_epochs(run)
    return Pipeline(run.data.mean, run.data.std, augmentation, augmented)


def build_loss(run: RunConfig) -> Loss:
    """Build what training minimizes."""
    return Loss(run.loss, run.label_smoothing, run.distill.temperature, run.distill.weight)


def build_averaging(run: RunConfig, model: nn.Module, steps_per_epoch: int) -> Averaging | None:
    """Build what averages a model's weights.

    Raises ConfigError where an epoch would have no update, or the model cannot be copied.
    """
    if run.ema.decay is None:
        return None
    if run.ema.every > steps_per_epoch:
        raise ConfigError(
            f"ema.every={run.ema.every} is more than the {steps_per_epoch:,} steps of an epoch, "
            "which would end without an average; lower it"
        )
    try:
        return Averaging(model, run.ema.decay, run.ema.every)
    except Exception as error:  # a user's model may hold what cannot be copied
        raise ConfigError(
            f"ema.decay={run.ema.decay}: {type(model).__name__} cannot be copied: {one_line(error)}"
        ) from error


def check_objects(run: RunConfig) -> None:
    """Refuse settings of optimizer, schedule, augmentation and teacher before data is loaded."""
    teacher = run.distill.teacher
    if teacher is not None:
        check_folder("distill.teacher", teacher)
        if not Path(teacher).is_dir():
            raise ConfigError(
                f"distill.teacher={teacher} is no directory here; name that of a run or a bundle"
            )
    dummy = nn.Parameter(torch.zeros(2, 2))
    dummy.grad = torch.zeros(2, 2)
    optimizer = build_optimizer(run.optimizer, [dummy])
    build_schedule(run.scheduler, optimizer, run.epochs, steps_per_epoch=1)
    build_pipeline(run)
    try:
        optimizer.step()
    except Exception as error:  # LBFGS wants a closure, SparseAdam sparse gradients
        raise ConfigError(
            f"optimizer._target_={run.optimizer['_target_']} cannot take a plain step: "
            f"{one_line(error)}"
        ) from error


def build_dataset(run: RunConfig) -> Dataset:
    """Load the data set. Raises DataError; ConfigError for a batch size that does not fit."""
    data = run.data
    dataset = load_dataset(
        data.name,
        data.root,
        data.folder,
        data.download,
        data.timeout,
        data.validation,
        data.split_seed,
    )
    check_batches(run, dataset)
    return dataset


def check_batches(run: RunConfig, dataset: Dataset) -> None:
    """Raise ConfigError for a batch size that does not fit the training split."""
    if run.batch_size > len(dataset.train):
        raise ConfigError(
            f"batch_size={run.batch_size:,} is larger than the training split of {dataset.name} "
            f"({len(dataset.train):,} images); lower it"
        )
    _check_last_batch(run, len(dataset.train))


def _check_last_batch(run: RunConfig, images: int) -> None:
    """Refuse a last batch of one image where a BatchNorm would have one value a channel."""
    if images % run.batch_size != 1 and run.batch_size != 1:
        return
    model = on_meta(lambda: build_model(run.model)).train()
    try:
        model(torch.empty((1, 1, 28, 28), device="meta"))
    except ValueError as error:
        raise ConfigError(
            f"batch_size={run.batch_size} leaves a last batch of one of {images:,} images, which "
            f"this model cannot train on ({one_line(error)}); choose another"
        ) from error


def uses_cuda_graph(run: RunConfig, model: nn.Module, device: torch.device) -> bool:
    """Whether a run replays a graph: on a GPU where it is asked to, or its model is known to."""
    asked = repeats(model) if run.cuda_graph is None else run.cuda_graph
    return asked and device.type == "cuda"


def check_cuda_graph(run: RunConfig, device: torch.device) -> None:
    """Raise ConfigError where a graph is asked for on a CPU."""
    if run.cuda_graph and device.type != "cuda":
        raise ConfigError("cuda_graph=true needs a GPU, and this run is on the CPU; leave it out")


def choose_layout(run: RunConfig, device: torch.device) -> Layout:
    """Return the memory layout of a run's model on a device.

    Raises UnsafeLayout, and ConfigError where the model cannot have the one that is asked for.
    """
    asked = None if run.layout == "auto" else Layout(MEMORY_FORMATS[run.layout])
    if device.type != "cpu":
        return asked or Layout()
    possible = training_layout(lambda: build_model(run.model))
    if asked == Layout() and possible.reason is not None:
        raise ConfigError(f"layout={run.layout}: the model has {possible.reason}; leave it out")
    return asked or possible


def lay_out(training: Training, layout: Layout) -> None:
    """Give a layout to the weights that are trained, and to their averages."""
    set_layout(training.model, layout)
    if training.averaging:
        set_layout(training.averaging.model, layout)


def build_training(run: RunConfig, steps_per_epoch: int, device: torch.device) -> Training:
    """Build everything that changes during a run, on a device. Seed before calling."""
    model = build_model(run.model)
    # Convolutions are faster with the channels last; the images, of one channel, are either.
    model = set_layout(model.to(device), Layout())
    optimizer = build_optimizer(run.optimizer, list(model.parameters()))
    schedule = build_schedule(run.scheduler, optimizer, run.epochs, steps_per_epoch)
    stopping = run.early_stopping
    early_stopping = None
    if stopping.patience is not None:
        watched = BestEpoch(Criterion(stopping.monitor, stopping.mode), stopping.min_delta)
        early_stopping = EarlyStopping(watched, stopping.patience)
    return Training(
        model,
        optimizer,
        schedule,
        torch.Generator().manual_seed(run.seed),
        BestEpoch(Criterion(run.keep.monitor, run.keep.mode)),
        early_stopping,
        averaging=build_averaging(run, model, steps_per_epoch),
    )
