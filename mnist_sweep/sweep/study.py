"""The study in its storage: opening and resuming it, and what it records of itself."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep import formats
from mnist_sweep.cli.printed_commands import by_make
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.extension import Difference
from mnist_sweep.sweep.storage import Storage, cause_of
from mnist_sweep.sweep.trials.status import FINISHED, STATES, TrialStatus
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.text import one_line
from mnist_sweep.untrusted_files import MAPPING, TEXTS, Check, Kinds, check_kinds

COMMAND = "command"  # the study's user attribute that says how its last sweep was started
ARGUMENTS = "arguments"  # the study's user attribute with what that sweep's command line gave
DIRECTORY = "directory"  # the study's user attribute that says where that sweep wrote
ID = "id"  # the study's user attribute that a directory of runs is recognized by
TOTAL = "total"  # the study's user attribute that says how many launched trials its sweep wants
DEFINITION = "definition"  # the study's user attribute that says what is searched
DATA = "data_fingerprint"  # the user attribute, of trials and study, that says on what
SEED = "seed"  # the setting that, where it is searched, makes several runs of a configuration

BRANCHES = Check(
    "a mapping to mappings to mappings",
    lambda value: (
        isinstance(value, dict)
        and all(isinstance(inner, dict) for inner in value.values())
        and all(isinstance(each, dict) for inner in value.values() for each in inner.values())
    ),
)
SEARCH: Kinds = {"search": {"settings": MAPPING, "conditional": BRANCHES, "deletions": TEXTS}}

# Settings that do not change what a run computes: a study may be resumed with others.
VOLATILE = (
    "cuda_graph",
    "data.download",
    "data.root",
    "data.timeout",
    "device",
    "dry_run",
    "name",
    "notes",
    "progress",
    "threads",
    "tracking",
)


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
    optuna.logging.set_verbosity(optuna.logging.WARNING)
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


def definition_of(study: optuna.Study) -> dict[str, Any]:
    """Return what a study's sweep has recorded of its search; nothing where it is none of ours.

    Another program may have an attribute of that name, with anything in it.
    """
    recorded = study.user_attrs.get(DEFINITION)
    if not isinstance(recorded, dict):
        return {}
    try:
        check_kinds(recorded, SEARCH, ("search",))
    except ValueError:
        return {}
    return dict(recorded)


def check_definition(
    study: optuna.Study, definition: dict[str, Any], may_move: bool = True
) -> list[Difference]:
    """Refuse another search under a study's name, by SweepError.

    Returns the ranges that were moved, where they may be: the study's trials are kept.
    """
    if study.user_attrs.get(DEFINITION) is None:
        return []
    recorded = definition_of(study)
    if not recorded:
        raise SweepError(
            f"study {study.study_name!r} says in another way than sweeps do what it searches: "
            f"{another_name()}"
        )
    found = _differences(_essential(recorded), _essential(definition))
    refused = [each for each in found if not (may_move and each.is_range)]
    if refused:
        raise SweepError(
            f"study {study.study_name!r} exists with another search: "
            f"{'; '.join(map(str, refused))}. Undo that, or {another_name()}"
        )
    return found


def check_distributions(
    study: optuna.Study, searched: Iterable[tuple[str, BaseDistribution]]
) -> None:
    """Refuse a setting of another kind, or of other choices, than the study's trials have drawn.

    Optuna refuses them within a study, also where nothing has been launched yet. Raises SweepError.
    """
    drawn: dict[str, BaseDistribution] = {}
    for trial in study.get_trials(deepcopy=False):
        drawn |= trial.distributions
    for name, distribution in searched:
        try:
            check_distribution_compatibility(drawn.get(name, distribution), distribution)
        except ValueError as error:
            raise SweepError(
                f"study {study.study_name!r} drew {name} from {drawn[name]} before, and that "
                f"cannot become {distribution}: {one_line(error)} Undo that, or {another_name()}"
            ) from error


def decided(study: optuna.Study, names: Iterable[str]) -> dict[str, BaseDistribution]:
    """Return what a study has drawn settings from whose ranges were computed when it began."""
    drawn: dict[str, BaseDistribution] = {}
    for trial in study.get_trials(deepcopy=False):
        drawn |= trial.distributions
    return {name: drawn[name] for name in names if name in drawn}


def record_definition(study: optuna.Study, definition: dict[str, Any]) -> None:
    """Record what a study searches, once it has something to lose: a launched trial."""
    if DEFINITION not in study.user_attrs:
        study.set_user_attr(DEFINITION, definition)


def replace_definition(study: optuna.Study, definition: dict[str, Any]) -> None:
    """Record what a study searches from now on. Call it under the study's lock."""
    study.set_user_attr(DEFINITION, definition)


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


def _essential(definition: Mapping[str, Any]) -> dict[str, Any]:
    search = definition["search"]
    settings = {
        name: setting
        for name, setting in search["settings"].items()
        if not _is_volatile(name.lstrip("+"))
    }
    return {**definition, "search": {**search, "settings": settings}}


def _is_volatile(name: str) -> bool:
    """Whether a setting, or the group that it is in, changes nothing that a run computes."""
    return any(name == volatile or name.startswith(f"{volatile}.") for volatile in VOLATILE)


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> list[Difference]:
    found: list[Difference] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, "absent"), new.get(key, "absent")
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(Difference(_called(prefix, key), key, before, after))
    return found


def _called(prefix: str, key: str) -> str:
    """Return what a user calls what differs: a setting by its own name."""
    path = f"{prefix}{key}"
    return path.removeprefix("search.settings.").removeprefix("search.")


def end(
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


def count_sweep(study: optuna.Study) -> int:
    """Count a sweep that begins; return how many began before. Call it under the study's lock."""
    earlier: int = study.user_attrs.get("sweeps", 0)
    study.set_user_attr("sweeps", earlier + 1)
    return earlier


def in_progress(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that run now, in whichever sweep."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
