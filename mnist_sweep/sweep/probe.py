"""The probe: what a run costs, told by the application before anything is launched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from omegaconf import DictConfig


@dataclass(frozen=True)
class RunCost:
    """What one run of a configuration costs, from its first epoch to its last.

    `work`: what an epoch's seconds grow with, by name; those of configurations that are not timed
    are estimated from it. `overhead`: seconds of a run beside its epochs. `notes`: what must be
    said of the figures, such as what they assume.

    Only where it was timed: `epoch_seconds`, an epoch's seconds by each of several measurements,
    and what is on disk, in bytes: `records` that every run leaves, `weights` that
    `hydra.sweeper.keep_weights` may limit to the best runs, and a `checkpoint` while it runs.
    """

    epochs: int
    work: Mapping[str, float] = field(default_factory=dict)
    overhead: float = 0.0
    epoch_seconds: tuple[float, ...] = ()
    records: int | None = None
    weights: int = 0
    checkpoint: int = 0
    notes: tuple[str, ...] = ()


Probe: TypeAlias = Callable[[DictConfig, DictConfig, float], RunCost]


def training_cost(config: DictConfig, hydra: DictConfig, seconds: float) -> RunCost:
    """Say what training a network costs on this machine; time it for so many seconds, unless 0.

    Nothing is written and nothing is downloaded. Raises UserError where the configuration can be no
    run, or its data is neither here nor of a known size.
    """
    from mnist_sweep.config import seen_from  # torch comes with what follows
    from mnist_sweep.config_checks import check
    from mnist_sweep.run.timing import planned, timed
    from mnist_sweep.text import command_folder

    run = seen_from(command_folder(), check(config))
    plan = planned(run, str(hydra.runtime.choices.get("model")))
    work = {
        "multiply-adds": float(plan.cost.multiply_adds) * plan.images,
        "steps": float(plan.steps),
    }
    if not seconds:
        return RunCost(run.epochs, work, plan.overhead, notes=plan.notes)
    found = timed(plan, seconds)
    return RunCost(
        run.epochs,
        work,
        plan.overhead,
        found.epoch_seconds,
        found.disk.records,
        found.disk.weights,
        found.disk.checkpoint,
        plan.notes + found.notes,
    )
