"""Where people look at runs besides the run directory: TensorBoard, MLflow, or both.

Each tracker is told the same of a run, and keeps of it what its users expect to find.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from mnist_sweep.config import RunConfig
from mnist_sweep.errors import UserError
from mnist_sweep.training.epochs import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("mnist_sweep")

# How many training images, as the network sees them, [N, 1, 28, 28].
AsSeen = Callable[[int], Tensor]

ComparedSettings = dict[str, bool | int | float | str]

# What runs are compared by: the groups, and these.
COMPARED = ("optimizer", "scheduler", "batch_size", "epochs", "seed", "precision")


class Tracker(Protocol):
    """A recorder of what happens in a run."""

    def start(self, model: nn.Module, as_seen: AsSeen) -> None:
        """Before the first epoch of this process."""

    def epoch(self, figures: Epoch, model: nn.Module) -> None:
        """After each epoch."""

    def finish(self, result: Mapping[str, Any], drawn: "Mapping[str, Figure]") -> None:
        """At a run's end, complete or pruned: its result.json, and figures of the kept weights."""

    def abandon(self, result: Mapping[str, Any]) -> None:
        """At any other end: its result.json says which. It may be resumed."""

    def leave(self) -> None:
        """Write nothing more: another process has taken over the run."""


def trackers(
    run: RunConfig,
    directory: Path,
    facts: Mapping[str, Any],
    sweep: str | None,
    first_epoch: int | None,
) -> Iterator[Tracker]:
    """Open one after another the trackers that a config asks for.

    `first_epoch` is the one that a resumed run starts with, None for a new run. `sweep` is what
    it is part of. Each tracker's package is imported only where it is asked for. A tracker that
    cannot be opened ends a new run of its own with a UserError; one that has got further, or is
    one of many, says so and continues without.
    """
    settings = compared(run, facts["model"])
    if run.tracking.tensorboard:
        from mnist_sweep.run.tracking.tensorboard import TensorBoard

        single = sweep is None
        yield TensorBoard(
            directory, run.tracking.tensorboard, settings, single, first_epoch, run.notes
        )
    if run.tracking.mlflow:
        from mnist_sweep.run.tracking.mlflow import MLflow

        try:
            yield MLflow(directory, run.tracking.mlflow, settings, facts, sweep)
        except UserError as error:
            if sweep is None and first_epoch is None:
                raise
            log.warning("mlflow: this run is recorded only in %s: %s", directory, error)


def draws_figures(run: RunConfig, sweep: str | None) -> bool:
    """Whether a run's figures are drawn for its trackers, which takes a second."""
    asked = run.tracking.tensorboard or run.tracking.mlflow
    when = run.tracking.figures
    return bool(asked) and (when == "always" or (when == "single" and sweep is None))


def compared(run: RunConfig, name: str) -> ComparedSettings:
    """Return the settings that runs are compared by, under their dotted keys."""
    settings = asdict(run)
    shown = {key: settings[key] for key in COMPARED}
    if run.data.augmentation.active:
        shown["augmentation"] = settings["data"]["augmentation"]
    shown.update(run.recipe)
    for group in ("model", "optimizer", "scheduler"):
        shown[group] = {k: value for k, value in settings[group].items() if k != "_target_"}
    called = {group: _called(settings[group]) for group in ("optimizer", "scheduler")}
    named = {} if run.name is None else {"name": run.name}
    return {"model": name, **called, **named, **flatten(shown)}


def _called(node: Mapping[str, Any]) -> str:
    """Return the class or function that a node names, without its module."""
    return str(node["_target_"]).rpartition(".")[2]


def flatten(config: Mapping[str, Any], prefix: str = "") -> ComparedSettings:
    """Return nested settings under their dotted keys; lists and None become text."""
    flat: ComparedSettings = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value if isinstance(value, bool | int | float | str) else str(value)
    return flat
