"""The study in its storage: opening it, and what a sweep records of itself in it."""

import uuid
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep import formats
from mnist_sweep.cli.printed_commands import by_make
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.storage import Storage, cause_of
from mnist_sweep.sweep.trials.status import FINISHED, STATES, TrialStatus
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.text import one_line

COMMAND = "command"  # the study's user attribute that says how its last sweep was started
ARGUMENTS = "arguments"  # the study's user attribute with what that sweep's command line gave
DIRECTORY = "directory"  # the study's user attribute that says where that sweep wrote
ID = "id"  # the study's user attribute that a directory of runs is recognized by
SWEEPS = "sweeps"  # the study's user attribute that counts its sweeps
PRUNER = "pruner_settings"  # the study's user attribute with settings that its jobs' pruners take
TOTAL = "total"  # the study's user attribute that says how many launched trials its sweep wants
DATA = "data_fingerprint"  # the user attribute, of trials and study, that says on what
SEED = "seed"  # the setting that, where it is searched, makes several runs of a configuration


def another_name() -> str:
    """Return what to do where a study's name is taken."""
    hint = " (make sweep STUDY=name)" if by_make() else ""
    return f"choose another hydra.sweeper.study_name{hint}"


def open_study(
    name: str | None,
    storage: Storage,
    sampler: BaseSampler | None,
    pruner: BasePruner,
    directions: Sequence[str],
) -> optuna.Study:
    """Create a study or open the existing one of that name.

    Raises SweepError when the storage cannot be used, or holds it with other directions.
    """
    try:
        study = optuna.create_study(
            study_name=name,
            storage=storage.optuna,
            sampler=sampler,
            pruner=pruner,
            directions=cast(list[Literal["minimize", "maximize"]], list(directions)),
            load_if_exists=True,
        )
    except Exception as error:  # each database driver raises its own kinds
        reason = said_of(storage.address, one_line(cause_of(error)))[:300]
        raise SweepError(
            f"study {name!r} cannot be opened in {without_password(storage.address)}: {reason}"
        ) from error
    check_directions(study, directions)
    return study


def check_directions(study: optuna.Study, directions: Sequence[str]) -> None:
    """Refuse a study of other directions. Raises SweepError."""
    recorded = direction_names(study)
    if recorded != list(directions):
        raise SweepError(
            f"study {study.study_name!r} exists with direction {', '.join(recorded)}, not "
            f"{', '.join(directions)}: {another_name()}"
        )


def exists(name: str | None, storage: Storage) -> bool:
    """Whether a storage has a study of that name."""
    if name is None:
        return False
    try:
        storage.optuna.get_study_id_from_name(name)
    except KeyError:
        return False
    return True


def is_empty(study: optuna.Study) -> bool:
    """Whether no trial of a study has ended, or been judged."""
    return not Tally(study).counts.keys() & {*FINISHED, TrialStatus.REJECTED}


def direction_names(study: optuna.Study) -> list[str]:
    """Return "maximize" or "minimize" for each objective."""
    return [direction.name.lower() for direction in study.directions]


def check_format(study: optuna.Study) -> None:
    """Raise FormatError for a study that a later version of this sweeper has swept."""
    recorded = study.user_attrs.get(formats.STUDY_KEY)
    formats.check_format(f"study {study.study_name!r}", recorded, formats.STUDY)


def record_format(study: optuna.Study) -> None:
    """Record the format of what this sweep adds to a study, which `check_format` has let pass."""
    if study.user_attrs.get(formats.STUDY_KEY) != formats.STUDY:
        study.set_user_attr(formats.STUDY_KEY, formats.STUDY)


def record_start(
    study: optuna.Study, directory: str, command: dict[str, Any], arguments: Sequence[str] = ()
) -> None:
    """Record where a sweep writes, how to start its program again, and with which overrides."""
    known = [str(without_password(line)) for line in arguments]
    for key, value in ((DIRECTORY, directory), (COMMAND, command), (ARGUMENTS, known)):
        if study.user_attrs.get(key) != value:
            study.set_user_attr(key, value)


def record_pruner(study: optuna.Study, settings: Mapping[str, Any]) -> None:
    """Record the pruner's settings that a sweep has computed, for its jobs."""
    if study.user_attrs.get(PRUNER, {}) != settings:
        study.set_user_attr(PRUNER, dict(settings))


def record_total(study: optuna.Study, total: int) -> None:
    """Record how many launched trials there are to be in all."""
    if study.user_attrs.get(TOTAL) != total:
        study.set_user_attr(TOTAL, total)


def check_data(study: optuna.Study, figures: Mapping[str, Any]) -> None:
    """Record what data a study's trials are on; raise SweepError for a trial on other data."""
    fingerprint, recorded = figures.get(DATA), study.user_attrs.get(DATA)
    if recorded is None and fingerprint is not None:
        study.set_user_attr(DATA, fingerprint)
    elif fingerprint not in (None, recorded):
        raise SweepError(
            f"study {study.study_name!r} uses data {recorded}, but this trial ran on "
            f"{figures.get('data')} {fingerprint}: name the data set (data=mnist or "
            f"data=mnist_5k), or {another_name()}"
        )


def tell_end(
    study: optuna.Study,
    trial: optuna.Trial,
    status: TrialStatus,
    reason: str | None,
    values: list[float] | None = None,
) -> None:
    """Tell the study how a trial ended, and why."""
    if status != TrialStatus.REJECTED:
        trial.set_user_attr("status", status.value)
    if reason is not None:
        trial.set_user_attr("reason", reason)
    try:
        study.tell(trial, values, STATES[status])
    except RuntimeError as error:
        # A grid sampler stops the study at its last point, which Optuna allows in optimize()
        # only; the trial's state is set by then.
        if "Study.stop" not in str(error):
            raise


def identity(study: optuna.Study) -> str:
    """Return what tells a study from another of its name. Call it under the study's lock."""
    identity: str | None = study.user_attrs.get(ID)
    if identity is None:
        identity = uuid.uuid4().hex
        study.set_user_attr(ID, identity)
    return identity


def sweeps(study: optuna.Study) -> int:
    """Return how many sweeps of a study have begun."""
    count = study.user_attrs.get(SWEEPS)
    return count if isinstance(count, int) else 0


def count_sweep(study: optuna.Study) -> int:
    """Count a sweep that begins; return how many began before. Call it under the study's lock."""
    earlier = sweeps(study)
    study.set_user_attr(SWEEPS, earlier + 1)
    return earlier


def in_progress(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that run now, in whichever sweep."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def name_objectives(study: optuna.Study, names: Sequence[str]) -> None:
    """Name a study's objectives, in the order of its directions.

    A study keeps the names that it has. Nothing is named where there is not one for each direction:
    another application may not say what its job returns.
    """
    if len(names) != len(study.directions) or study.metric_names is not None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's, of this call
        study.set_metric_names(list(names))
