"""What a model costs, counted on the meta device before anything is allocated or trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.flop_counter import FlopCounterMode

from mnist_sweep.errors import UserError


class BudgetExceeded(UserError):
    """A model has more `parameters` than the `limit` allows."""

    def __init__(self, message: str, parameters: int, limit: int) -> None:
        super().__init__(message)
        self.parameters, self.limit = parameters, limit

    def __reduce__(self) -> tuple[type, tuple[str, int, int]]:
        """Survive the way from a worker process: exceptions pickle by their arguments."""
        return type(self), (str(self), self.parameters, self.limit)


class WrongOutput(UserError):
    """A model does not give one logit a class."""


class UnknownCost(UserError):
    """A model's parameters cannot be counted before a forward pass."""


@dataclass(frozen=True)
class Cost:
    """`parameters`: elements of `parameters()`, each tensor once, frozen ones too.

    `multiply_adds`: for one image, in the operations that torch's FlopCounterMode counts
    (convolutions and matrix products; elementwise work is left out).
    """

    parameters: int
    multiply_adds: int


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a model on the meta device: shapes without storage."""
    with torch.device("meta"):
        return build()


def count_parameters(model: nn.Module) -> int:
    """Return the elements of `parameters()`, each tensor counted once.

    Raises UnknownCost for lazy modules, whose shapes are known only after a forward pass.
    """
    lazy = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
    if lazy:
        raise UnknownCost(
            f"cannot count {type(model).__name__}: {', '.join(lazy)} get their shape only in a "
            "forward pass; replace lazy modules by ones with explicit sizes"
        )
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(
    model: nn.Module, image_shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10
) -> int:
    """Return the multiply-adds of one image through a model that lies on the meta device.

    Raises WrongOutput unless the model returns logits [1, classes] for it.
    """
    images = torch.empty((1, *image_shape), device="meta")
    was_training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        logits = model(images)
    model.train(was_training)
    shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != [1, classes]:
        raise WrongOutput(
            f"{type(model).__name__} maps one image to {shape}; it must give logits [1, {classes}]"
        )
    operations: int = counter.get_total_flops()
    return operations // 2  # FlopCounterMode counts a multiply-add as two


def largest_fitting(candidates: Sequence[int], count: Callable[[int], int], limit: int) -> int:
    """Return the last of the increasing candidates whose count is at most the limit, by bisection.

    `count` must not decrease over the candidates. Raises LookupError when none fits.
    """
    low, high = -1, len(candidates)
    while high - low > 1:
        middle = (low + high) // 2
        if count(candidates[middle]) <= limit:
            low = middle
        else:
            high = middle
    if low < 0:
        raise LookupError(f"no candidate has at most {limit} parameters")
    return candidates[low]
