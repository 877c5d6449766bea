"""The study in its storage: opening it, what its trials mean, and the summary file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import optuna
from omegaconf import OmegaConf
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

# What a trial's user attribute `status` says. Launched trials that came to an end count towards
# n_trials; the others do not.
COMPLETE, FAILED = "complete", "failed"
REJECTED = "rejected"  # by the gate: never launched
REFUSED = "refused"  # no valid run at all: never launched
INTERRUPTED = "interrupted"  # by Ctrl-C
FINISHED = (COMPLETE, FAILED)

# Rejections are PRUNED, not FAIL: TPE learns from the constraints of PRUNED trials only.
STATES = {
    COMPLETE: TrialState.COMPLETE,
    FAILED: TrialState.FAIL,
    REJECTED: TrialState.PRUNED,
    REFUSED: TrialState.FAIL,
    INTERRUPTED: TrialState.FAIL,
}

DEFINITION = "definition"  # the study's user attribute that says what is searched


def open_study(
    name: str | None, storage: str | None, sampler: BaseSampler | None, directions: Sequence[str]
) -> optuna.Study:
    """Create a study or open the existing one of that name.

    Raises SweepError when the storage cannot be opened, or holds it with other directions.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if storage is not None:
            _make_sqlite_folder(storage)
        return optuna.create_study(
            study_name=name,
            storage=storage,
            sampler=sampler,
            directions=cast(list[Literal["minimize", "maximize"]], list(directions)),
            load_if_exists=True,
        )
    except Exception as error:  # each database driver raises its own kinds
        raise SweepError(
            f"study {name!r} cannot be opened in {storage}: {one_line(error)[:300]}"
        ) from error


def _make_sqlite_folder(storage: str) -> None:
    if storage.startswith("sqlite:"):
        database = make_url(storage).database
        if database and database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)


def check_definition(study: optuna.Study, definition: dict[str, Any]) -> None:
    """Record what a new study searches; refuse to go on with another search under its name."""
    recorded = study.user_attrs.get(DEFINITION)
    if recorded is None:
        study.set_user_attr(DEFINITION, definition)
        return
    if recorded != definition:
        differences = "; ".join(_differences(recorded, definition))
        raise SweepError(
            f"study {study.study_name!r} exists with another search: {differences}. "
            "Choose another hydra.sweeper.study_name (make sweep STUDY=name), or take that back"
        )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, "absent"), new.get(key, "absent")
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key} was {before}, is {after}")
    return found


def status(trial: FrozenTrial) -> str | None:
    """Return what a trial came to; None while it runs."""
    recorded: str | None = trial.user_attrs.get("status")
    return recorded


def counts(study: optuna.Study) -> Counter[str | None]:
    """Return how many trials came to what."""
    return Counter(status(trial) for trial in study.get_trials(deepcopy=False))


def finished(study: optuna.Study) -> int:
    """Return the launched trials that came to an end: those that count towards n_trials."""
    by_status = counts(study)
    return sum(by_status[name] for name in FINISHED)


def failures(study: optuna.Study) -> list[str]:
    """Return the reasons of the trials that came to nothing, in order."""
    return [
        trial.user_attrs["reason"]
        for trial in study.get_trials(deepcopy=False)
        if status(trial) in (FAILED, REFUSED)
    ]


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the best feasible complete trial, or the Pareto front of several objectives."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not any(all(value <= 0 for value in trial.constraints.values()) for trial in complete):
        return []
    return [study.best_trial] if len(study.directions) == 1 else study.best_trials


def smallest_rejected(study: optuna.Study) -> FrozenTrial | None:
    """Return the rejected trial that came closest to feasible, or None."""
    rejected = [t for t in study.get_trials(deepcopy=False) if status(t) == REJECTED]
    return min(rejected, key=lambda t: max(t.constraints.values()), default=None)


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
    by_status = counts(study)
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
        "directions": [direction.name.lower() for direction in study.directions],
        "trials": {
            name: by_status[name] for name in (COMPLETE, FAILED, REJECTED, REFUSED, INTERRUPTED)
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
    temporary = path.with_suffix(".tmp")
    OmegaConf.save(OmegaConf.create(results), temporary)
    temporary.replace(path)
