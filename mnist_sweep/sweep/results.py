"""What a study found: its best trials, how close its rejections came, and the summary file."""

import math
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.files import replacing
from mnist_sweep.sweep import study as studies


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the best feasible complete trial, or the Pareto front of several objectives."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not any(all(value <= 0 for value in trial.constraints.values()) for trial in complete):
        return []
    return [study.best_trial] if len(study.directions) == 1 else study.best_trials


def smallest_rejected(study: optuna.Study) -> FrozenTrial | None:
    """Return the rejected trial that came closest to feasible, or None."""
    rejected = [
        t for t in study.get_trials(deepcopy=False) if studies.status(t) == studies.REJECTED
    ]
    return min(rejected, key=lambda t: max(t.constraints.values(), default=math.inf), default=None)


def nothing_fits(study: optuna.Study, in_a_row: int) -> str:
    """Say that the gate let nothing pass, and how close the closest proposal came."""
    closest = smallest_rejected(study)
    assert closest is not None
    return (
        f"{in_a_row} proposals in a row did not pass the gate; the closest, trial "
        f"{closest.number}, has {closest.user_attrs['reason']}: narrow the search space "
        "(hydra.sweeper.params) or raise the budget"
    )


def write_results(study: optuna.Study, storage: str | None, path: Path) -> None:
    """Write optimization_results.yaml: the stock sweeper's keys, and what else there is to know."""
    best = best_trials(study)
    by_status = studies.counts(study)
    results: dict[str, Any] = {"name": "optuna"}
    if len(study.directions) == 1:
        results["best_params"] = best[0].params if best else None
        results["best_value"] = best[0].value if best else None
        results["best_trial"] = best[0].number if best else None
        results["best_run_directory"] = best[0].user_attrs.get("run_directory") if best else None
    else:
        results["solutions"] = [
            {"params": t.params, "values": t.values, "trial": t.number} for t in best
        ]
    results |= {
        "study_name": study.study_name,
        "storage": storage,
        "directions": studies.direction_names(study),
        "trials": {
            name: by_status[name]
            for name in (
                studies.COMPLETE,
                studies.FAILED,
                studies.REJECTED,
                studies.REFUSED,
                studies.INTERRUPTED,
            )
        },
    }
    closest = smallest_rejected(study)
    if closest is not None:
        results["smallest_rejected"] = {
            "trial": closest.number,
            "parameters": closest.user_attrs.get("parameters"),
            "params": closest.params,
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        OmegaConf.save(OmegaConf.create(results), temporary)
