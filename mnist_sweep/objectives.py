"""The figures of a run that something can be chosen by: one table, which way each is better."""

from dataclasses import dataclass
from typing import Any

from omegaconf import ListConfig

MAXIMIZE, MINIMIZE = "maximize", "minimize"


@dataclass(frozen=True)
class Figure:
    """A figure of a run.

    `each_epoch`: whether it is known after each epoch, and not before the first. `searched`:
    whether a search may have it as its objective; those on training images say too little.
    """

    name: str
    direction: str
    each_epoch: bool = True
    searched: bool = True

    @property
    def is_accuracy(self) -> bool:
        """Whether it is a share of images, which people read in percent."""
        return self.name.endswith("_acc")


TABLE = (
    Figure("train_loss", MINIMIZE, searched=False),
    Figure("train_acc", MAXIMIZE, searched=False),
    Figure("val_loss", MINIMIZE),
    Figure("val_acc", MAXIMIZE),
    Figure("parameters", MINIMIZE, each_epoch=False),
    Figure("multiply_adds", MINIMIZE, each_epoch=False),
)
FIGURES = {figure.name: figure for figure in TABLE}

# What a criterion may monitor, and what an objective may be.
METRICS = tuple(figure.name for figure in TABLE if figure.each_epoch)
OBJECTIVES = tuple(figure.name for figure in TABLE if figure.searched)


def direction_of(objective: Any) -> Any:
    """Return "maximize" or "minimize" for a figure, or a list for a list of them.

    A name that is no figure is minimized here, and refused where the config is checked.
    """
    if isinstance(objective, list | ListConfig):
        return [direction_of(name) for name in objective]
    figure = FIGURES.get(str(objective))
    return MINIMIZE if figure is None else figure.direction


def known_before(objective: Any) -> bool:
    """Whether a figure is known before the first epoch, so that no epoch says more about it."""
    figure = FIGURES.get(str(objective))
    return figure is not None and not figure.each_epoch
