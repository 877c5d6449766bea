"""The figures of an epoch, which epoch is the best, and when there have been enough."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """The figures of one epoch: accuracies as fractions, time in seconds.

    `train_loss` is what training minimized, a sample; `val_loss` is cross entropy in nats a sample,
    whatever that was. The training figures are of the weights as they changed, the validation
    figures of the weights that may be kept; `lr` is the rate of the first step.
    """

    epoch: int
    lr: float
    train_loss: float
    train_acc: float
    val_loss: float
    val_acc: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Criterion:
    """Which figure of an `Epoch` is watched, and whether it should fall ("min") or rise ("max")."""

    monitor: str = "val_loss"
    mode: str = "min"

    def improves(self, new: Epoch, old: float | None, by: float = 0.0) -> bool:
        """Whether the epoch is better than a previous value by more than `by`; NaN never is."""
        value: float = getattr(new, self.monitor)
        if math.isnan(value):
            return False
        if old is None:
            return True
        return value < old - by if self.mode == "min" else value > old + by


SEEN = ("best", "best_epoch", "stale")


@dataclass
class BestEpoch:
    """The best value so far under a criterion, its epoch, and the epochs without an improvement."""

    criterion: Criterion
    min_delta: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0

    def update(self, epoch: Epoch) -> bool:
        """Take in an epoch; return whether it is the best so far."""
        improved = self.criterion.improves(epoch, self.best, self.min_delta)
        if improved:
            self.best = getattr(epoch, self.criterion.monitor)
            self.best_epoch, self.stale = epoch.epoch, 0
        else:
            self.stale += 1
        return improved

    def state_dict(self) -> dict[str, Any]:
        """Return what has been seen, without the criterion, which the config says."""
        return {name: getattr(self, name) for name in SEEN}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        for name in SEEN:
            setattr(self, name, state[name])


@dataclass
class EarlyStopping:
    """Stop after `patience` epochs in a row that were no improvement."""

    best: BestEpoch
    patience: int

    @property
    def reason(self) -> str | None:
        """Why the run should stop now, or None."""
        if self.best.stale < self.patience:
            return None
        name = self.best.criterion.monitor
        return (
            f"{name} has not improved for {self.patience} epoch{'s' if self.patience > 1 else ''}"
        )
