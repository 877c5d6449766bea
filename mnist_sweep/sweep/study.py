"""The study in its storage: opening it, going on with it, and what its trials came to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

ANOTHER_NAME = "choose another hydra.sweeper.study_name (make sweep STUDY=name)"

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
DATA = "data_fingerprint"  # the user attribute, of trials and study, that says on what

# Settings that do not change what a run computes, so that a study may go on with others.
VOLATILE = (
    "data.download",
    "data.root",
    "data.timeout",
    "device",
    "progress",
    "threads",
    "tracking",
)


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
        study = optuna.create_study(
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
    recorded = direction_names(study)
    if recorded != list(directions):
        raise SweepError(
            f"study {name!r} exists with direction {', '.join(recorded)}, not "
            f"{', '.join(directions)}: {ANOTHER_NAME}"
        )
    return study


def direction_names(study: optuna.Study) -> list[str]:
    """Return "maximize" or "minimize" for each objective."""
    return [direction.name.lower() for direction in study.directions]


def _make_sqlite_folder(storage: str) -> None:
    if storage.startswith("sqlite:"):
        database = make_url(storage).database
        if database and database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)


def check_definition(study: optuna.Study, definition: dict[str, Any]) -> None:
    """Refuse to go on with another search under a study's name, by SweepError."""
    recorded = study.user_attrs.get(DEFINITION)
    if recorded is None:
        return
    differences = _differences(_essential(recorded), _essential(definition))
    if differences:
        raise SweepError(
            f"study {study.study_name!r} exists with another search: {'; '.join(differences)}. "
            f"Take that back, or {ANOTHER_NAME}"
        )


def record_definition(study: optuna.Study, definition: dict[str, Any]) -> None:
    """Record what a study searches, once it has something to lose: a launched trial."""
    if DEFINITION not in study.user_attrs:
        study.set_user_attr(DEFINITION, definition)


def check_data(study: optuna.Study, figures: Mapping[str, Any]) -> None:
    """Record what data a study's trials are on; raise SweepError for a trial on other data."""
    fingerprint, recorded = figures.get(DATA), study.user_attrs.get(DATA)
    if recorded is None and fingerprint is not None:
        study.set_user_attr(DATA, fingerprint)
    elif fingerprint not in (None, recorded):
        raise SweepError(
            f"study {study.study_name!r} is on data {recorded}, but this trial ran on "
            f"{figures.get('data')} {fingerprint}: name the data set (data=mnist or "
            f"data=mnist_5k), or {ANOTHER_NAME}"
        )


def _essential(definition: Mapping[str, Any]) -> dict[str, Any]:
    search = definition["search"]
    settings = {
        name: setting
        for name, setting in search["settings"].items()
        if not name.lstrip("+").startswith(VOLATILE)
    }
    return {**definition, "search": {**search, "settings": settings}}


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


def end(
    study: optuna.Study,
    trial: optuna.Trial,
    status: str,
    reason: str | None,
    values: list[float] | None = None,
) -> None:
    """Tell the study what a trial came to, and why."""
    trial.set_user_attr("status", status)
    if reason is not None:
        trial.set_user_attr("reason", reason)
    try:
        study.tell(trial, values, STATES[status])
    except RuntimeError as error:
        # A grid sampler stops the study at its last point, which Optuna allows in optimize()
        # only; the trial's state is set by then.
        if "Study.stop" not in str(error):
            raise


def requeue(study: optuna.Study, trial: optuna.Trial) -> None:
    """Have a trial's parameters proposed again, before any others."""
    study.enqueue_trial(trial.params, user_attrs={"requeued_from": trial.number})
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))[-1]
    attributes = trial.storage.get_trial_system_attrs(trial._trial_id)
    for key in ("grid_id", "search_space"):  # what a grid sampler knows a point by
        if key in attributes:
            trial.storage.set_trial_system_attr(waiting._trial_id, key, attributes[key])


def finished(study: optuna.Study) -> int:
    """Return the launched trials that came to an end: those that count towards n_trials."""
    by_status = counts(study)
    return sum(by_status[name] for name in FINISHED)


def failures(study: optuna.Study, since: int = 0) -> list[str]:
    """Return the reasons of the trials from a number on that came to nothing, in order."""
    return [
        trial.user_attrs["reason"]
        for trial in study.get_trials(deepcopy=False)[since:]
        if status(trial) in (FAILED, REFUSED)
    ]
