"""What a trial's status is, and what else is recorded of it."""

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.sweep.trials.leases import SWEEP
from mnist_sweep.untrusted_files import NUMBER, TEXT, TEXTS, WHOLE, Check

IMAGES = "validation_images"  # the user attribute of a trial that says by how many it was judged
GATE = "gate"  # a trial's user attribute: what the gate found, a mapping

ANY = Check("anything", lambda value: True)
# The user attributes of a trial that are read as more than a text.
KINDS = {
    **dict.fromkeys(("epochs", "max_epochs", "best_epoch", "parameters", "multiply_adds"), WHOLE),
    IMAGES: WHOLE,
    **dict.fromkeys(("val_acc", "val_loss", "seconds"), NUMBER),
    **dict.fromkeys(("run_directory", "reason", "data", "data_fingerprint"), TEXT),
    **dict.fromkeys(("name", "notes", "widths"), TEXT),
    "overrides": TEXTS,
}


class TrialStatus(str, Enum):
    """A trial's status: its user attribute of that name, or what its state says."""

    COMPLETE = "complete"
    PRUNED = "pruned"  # by the pruner, after some epochs
    FAILED = "failed"
    REJECTED = "rejected"  # by the gate: never launched
    REFUSED = "refused"  # no valid run at all: never launched
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # by Ctrl-C, or its process died: will be resumed
    QUEUED = "queued"  # by `enqueue`, and not asked for yet

    # As those of the text: statuses are compared with what is read from files.
    __str__ = str.__str__
    __hash__ = str.__hash__


# Launched trials that have ended: they count towards n_trials, the others do not.
FINISHED = (TrialStatus.COMPLETE, TrialStatus.PRUNED, TrialStatus.FAILED)

# Rejections are PRUNED, not FAIL: TPE learns from the constraints of PRUNED trials only.
STATES = {
    TrialStatus.COMPLETE: TrialState.COMPLETE,
    TrialStatus.PRUNED: TrialState.PRUNED,
    TrialStatus.FAILED: TrialState.FAIL,
    TrialStatus.REJECTED: TrialState.PRUNED,
    TrialStatus.REFUSED: TrialState.FAIL,
}

# The status of a launched trial that has no attribute of that name.
BY_STATE = {STATES[status]: status for status in FINISHED}


def status_of(trial: FrozenTrial) -> TrialStatus:
    """Return a trial's status.

    A trial without a status of ours, say of the stock sweeper, has what its state says.
    """
    if trial.state == TrialState.RUNNING:
        return TrialStatus.RUNNING
    if trial.state == TrialState.WAITING:
        return TrialStatus.INTERRUPTED if was_launched(trial) else TrialStatus.QUEUED
    with suppress(ValueError):  # none, or another program's attribute of that name
        return TrialStatus(trial.user_attrs.get("status"))
    rejected = "reason" in _found_by_gate(trial) and not was_launched(trial)
    if rejected or any(excess > 0 for excess in trial.constraints.values()):
        return TrialStatus.REJECTED
    return BY_STATE[trial.state]


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a trial meets its constraints, as Optuna counts it; one without any does."""
    return all(value <= 0 for value in trial.constraints.values())


def attributes_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return what is recorded of a trial: by its run, or before it by the gate.

    What has a name of ours and is of another kind is left out: a study may be another program's,
    whose attributes mean something else.
    """
    own = {name: value for name, value in trial.user_attrs.items() if name != GATE}
    found = {**_found_by_gate(trial), **own}
    return {name: value for name, value in found.items() if KINDS.get(name, ANY).holds(value)}


def _found_by_gate(trial: FrozenTrial) -> Mapping[str, Any]:
    found = trial.user_attrs.get(GATE)
    return found if isinstance(found, dict) else {}


def was_launched(trial: FrozenTrial) -> bool:
    """Whether a trial has ever been given to a launcher."""
    return SWEEP in trial.system_attrs
