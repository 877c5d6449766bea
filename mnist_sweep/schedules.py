"""Learning-rate schedules that fit any number of epochs.

A builder takes the optimizer, the run's epochs and its steps per epoch, and returns a `Schedule`.
A scheduler config names one by `_target_`; a user's own builder keeps the same three arguments.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    ReduceLROnPlateau,
)


@dataclass
class Schedule:
    """A torch scheduler and when it steps: after every batch, or after every epoch."""

    scheduler: LRScheduler
    each_step: bool = False

    def after_step(self) -> None:
        """Advance a schedule that is counted in optimizer steps."""
        if self.each_step:
            self.scheduler.step()

    def after_epoch(self, val_loss: float) -> None:
        """Advance a schedule that is counted in epochs."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(val_loss)
        elif not self.each_step:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to continue from here."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.scheduler.load_state_dict(state)


def constant(optimizer: Optimizer, epochs: int, steps_per_epoch: int) -> Schedule:
    """Keep the optimizer's learning rate."""
    return Schedule(LambdaLR(optimizer, _unchanged))


def _unchanged(epoch: int) -> float:
    return 1.0


def four_phase(
    optimizer: Optimizer,
    epochs: int,
    steps_per_epoch: int,
    phases: Sequence[float] = (0.2, 0.55, 0.85),
    factor: float = 0.33,
) -> Schedule:
    """Multiply the learning rate by `factor` at each fraction of the run in `phases`.

    With the defaults and 20 epochs that is after epochs 4, 11 and 17. Raises ValueError unless the
    fractions increase within (0, 1) and the factor lies in (0, 1].
    """
    inside = all(0 < fraction < 1 for fraction in phases)
    if not inside or any(a >= b for a, b in pairwise(phases)):
        raise ValueError(f"phases must increase within (0, 1), but got {list(phases)}")
    if not 0 < factor <= 1:
        raise ValueError(f"factor must be in (0, 1], but got {factor}")
    milestones = [max(1, round(fraction * epochs)) for fraction in phases]
    return Schedule(MultiStepLR(optimizer, milestones, gamma=factor))


def cosine(optimizer: Optimizer, epochs: int, steps_per_epoch: int, floor: float = 0.0) -> Schedule:
    """Anneal along half a cosine to `floor` times the initial rate (arXiv:1608.03983).

    Raises ValueError unless 0 <= floor <= 1.
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be in [0, 1], but got {floor}")
    lowest = floor * optimizer.param_groups[0]["lr"]
    return Schedule(CosineAnnealingLR(optimizer, T_max=epochs, eta_min=lowest))


def one_cycle(
    optimizer: Optimizer,
    epochs: int,
    steps_per_epoch: int,
    peak: float = 1.0,
    warmup: float = 0.3,
) -> Schedule:
    """Rise to `peak` times the initial rate, then fall to nearly zero (arXiv:1708.07120).

    `warmup` is the rising fraction of the run. As torch's OneCycleLR by default: half cosines from
    1/25 of the peak and down to 1/250,000 of it. Not by that class, which divides by zero where a
    phase has no step of its own. Momentum is left alone, so that any optimizer works. Raises
    ValueError unless peak > 0 and 0 < warmup < 1.
    """
    if not peak > 0:
        raise ValueError(f"peak must be greater than 0, but got {peak}")
    if not 0 < warmup < 1:
        raise ValueError(f"warmup must be in (0, 1), but got {warmup}")
    total = epochs * steps_per_epoch
    top = max(0.0, warmup * total - 1)  # the step of the peak

    def multiple(step: int) -> float:
        if step < top:
            return peak * _half_cosine(1 / 25, 1.0, step / top)
        fraction = min(1.0, (step - top) / max(1, total - 1 - top))
        return peak * _half_cosine(1.0, 1 / 250_000, fraction)

    return Schedule(LambdaLR(optimizer, multiple), each_step=True)


def _half_cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


def plateau(
    optimizer: Optimizer,
    epochs: int,
    steps_per_epoch: int,
    factor: float = 0.33,
    patience: int = 2,
    threshold: float = 0.0,
) -> Schedule:
    """Multiply the rate by `factor` after more than `patience` epochs without a lower loss.

    The loss is the validation loss; `threshold` is the relative margin by which it must fall.

    Raises ValueError for a factor outside (0, 1), or a negative patience or threshold.
    """
    if not 0 < factor < 1:
        raise ValueError(f"factor must be in (0, 1), but got {factor}")
    if patience < 0 or threshold < 0:
        raise ValueError(
            f"patience and threshold cannot be negative, but got {patience} and {threshold}"
        )
    return Schedule(
        ReduceLROnPlateau(optimizer, factor=factor, patience=patience, threshold=threshold)
    )
