"""What a study found: its best trials, how close its rejections came, and the summary file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.files import replacing
from mnist_sweep.passwords import without_password
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.best import point_to
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.trials.gated_sampler import is_grid
from mnist_sweep.sweep.trials.status import (
    FINISHED,
    TrialStatus,
    attributes_of,
    is_feasible,
    status_of,
)
from mnist_sweep.text import counted, relative

FILE = "optimization_results.yaml"  # a study's summary, in its sweep's directory


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the feasible complete trials."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if is_feasible(trial)
    ]


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the best feasible complete trial, or the Pareto front of several objectives."""
    if not complete_trials(study):
        return []
    return [study.best_trial] if len(study.directions) == 1 else study.best_trials


def best_value(study: optuna.Study) -> float | None:
    """Return the value of the best feasible complete trial; None while there is none."""
    best = best_trials(study)
    return best[0].value if best else None


def rejections(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that the gate rejected."""
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    return [trial for trial in pruned if status_of(trial) == TrialStatus.REJECTED]


def smallest_rejected(study: optuna.Study) -> FrozenTrial | None:
    """Return the rejected trial that came closest to feasible, or None.

    One that meets every constraint, as one that repeats a trial does, only where there is no other.
    """

    def distance(trial: FrozenTrial) -> tuple[bool, float]:
        worst = _worst(trial.constraints)
        return worst <= 0, worst

    return min(rejections(study), key=distance, default=None)


def nothing_fits(
    study: optuna.Study,
    in_a_row: int | None = None,
    probes: int = 0,
    closest_probe: Verdict | None = None,
) -> str:
    """Say that the gate let nothing pass, and how close the closest configuration came.

    `in_a_row`: after how many proposals; None where the space holds no others. `probes`: how many
    more were drawn, and the closest of those.
    """
    closest = smallest_rejected(study)
    assert closest is not None
    what, more = "no configuration of the search space passes the gate", ""
    if probes:
        what += f" among {in_a_row} proposals and {probes} more draws"
    elif in_a_row is not None:
        what = f"{counted(in_a_row, 'proposal')} in a row did not pass the gate"
        more = " or hydra.sweeper.max_rejections"
    who, reason = f", trial {closest.number},", attributes_of(closest)["reason"]
    if closest_probe is not None and _worst(closest_probe.constraints) < _worst(
        closest.constraints
    ):
        who, reason = "", closest_probe.reason
    return (
        f"{what}; the closest{who} has {reason}: change the search space (hydra.sweeper.params), "
        f"or raise the budget{more}"
    )


def _worst(constraints: Mapping[str, float]) -> float:
    return max(constraints.values(), default=math.inf)


def trials_since_best(study: optuna.Study) -> int:
    """Return how many launched trials ended after the best one did."""
    best = best_trials(study)
    if not best:
        return 0
    latest = max(trial.datetime_complete for trial in best if trial.datetime_complete)
    return sum(
        status_of(trial) in FINISHED and trial.datetime_complete > latest
        for trial in study.get_trials(deepcopy=False)
        if trial.datetime_complete
    )


def epochs_saved(study: optuna.Study) -> int:
    """Return the epochs that pruned trials were spared."""
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    return sum(
        found["max_epochs"] - found["epochs"]
        for found in map(attributes_of, pruned)
        if {"max_epochs", "epochs"} <= found.keys()
    )


def spared(study: optuna.Study) -> str:
    """Return what pruning saved as an addition to the number pruned: " (8 epochs saved)", or ""."""
    saved = epochs_saved(study)
    return f" ({counted(saved, 'epoch')} saved)" if saved else ""


def path_in(directory: Path) -> Path:
    """Return where a sweep directory has its results."""
    return directory / FILE


def check_directory(study: optuna.Study, directory: Path) -> None:
    """Raise SweepError for a sweep directory that has runs of another study."""
    identity, path = studies.identity(study), path_in(directory)
    recorded = OmegaConf.select(OmegaConf.load(path), "study_id") if path.exists() else None
    runs = [p for p in directory.glob("*") if p.name.isdigit()] if recorded is None else []
    if recorded not in (None, identity) or (runs and not study.get_trials(deepcopy=False)):
        raise SweepError(
            f"{relative(directory)} has runs of another study with that name, which is not in this "
            f"database: move the folder away, or {studies.another_name()}"
        )


def write_results(
    study: optuna.Study, storage: str | None, directory: Path, final: bool = True
) -> None:
    """Write what a study has found so far into its sweep directory, and point best/ to the best.

    The file has the stock sweeper's keys, and what else there is to know. The list of a grid's
    skipped points, which can be long, is in the `final` one only.
    """
    best = best_trials(study)
    found: dict[str, Any] = {"name": "optuna"}
    if len(study.directions) == 1:
        found["best_params"] = best[0].params if best else None
        found["best_value"] = best[0].value if best else None
        found["best_trial"] = best[0].number if best else None
        found["best_run_directory"] = best[0].user_attrs.get("run_directory") if best else None
        if best:
            point_to(directory / "best", Path(best[0].user_attrs.get("run_directory", "")))
    else:
        found["solutions"] = [
            {"params": t.params, "values": t.values, "trial": t.number} for t in best
        ]
    by_status = studies.counts(study)
    found |= {
        "study_name": study.study_name,
        "study_id": studies.identity(study),
        "storage": without_password(storage),
        "directions": studies.direction_names(study),
        "trials": {status.value: by_status[status] for status in TrialStatus},
        "epochs_saved": epochs_saved(study),
    }
    closest = smallest_rejected(study)
    if closest is not None:
        found["smallest_rejected"] = _rejection(closest)
    if final and is_grid(study.sampler):
        found["skipped"] = [_rejection(trial) for trial in rejections(study)]
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(path_in(directory)) as temporary:
        OmegaConf.save(OmegaConf.create(found), temporary)


def _rejection(trial: FrozenTrial) -> dict[str, Any]:
    parameters = attributes_of(trial).get("parameters")
    return {"trial": trial.number, "parameters": parameters, "params": trial.params}


class SummaryFile(SweepCallback):
    """A sweep directory's summary and its best/, kept up to date."""

    def __init__(self, study: optuna.Study, storage: str | None, directory: Path) -> None:
        self.study, self.storage, self.directory = study, storage, directory

    def told(self) -> None:
        """Write what has been found so far."""
        write_results(self.study, self.storage, self.directory, final=False)

    def ended(self) -> None:
        """Write what was found."""
        write_results(self.study, self.storage, self.directory)
