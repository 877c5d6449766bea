"""What a study searches, as it has recorded, and whether another search may go on with it."""

from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.extension import Difference
from mnist_sweep.sweep.study_store import another_name
from mnist_sweep.text import one_line
from mnist_sweep.untrusted_files import MAPPING, TEXTS, Check, Kinds, check_kinds

DEFINITION = "definition"  # the study's user attribute that says what is searched

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
    "layout",
    "name",
    "notes",
    "progress",
    "threads",
    "tracking",
)


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
    drawn = _drawn(study)
    for name, distribution in searched:
        try:
            check_distribution_compatibility(drawn.get(name, distribution), distribution)
        except ValueError as error:
            raise SweepError(
                f"study {study.study_name!r} drew {name} from {drawn[name]} before, and that "
                f"cannot become {distribution}: {one_line(error)} Undo that, or {another_name()}"
            ) from error


def drawn_ranges(study: optuna.Study, names: Iterable[str]) -> dict[str, BaseDistribution]:
    """Return what a study has drawn settings from whose ranges were computed when it began."""
    drawn = _drawn(study)
    return {name: drawn[name] for name in names if name in drawn}


def _drawn(study: optuna.Study) -> dict[str, BaseDistribution]:
    """Return what each setting was drawn from last."""
    drawn: dict[str, BaseDistribution] = {}
    for trial in study.get_trials(deepcopy=False):
        drawn |= trial.distributions
    return drawn


def replace_definition(study: optuna.Study, definition: dict[str, Any]) -> None:
    """Record what a study searches from now on. Call it under the study's lock."""
    study.set_user_attr(DEFINITION, definition)


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


class Claim:
    """A sweep's claim that its search is the study's, which it records once it launches a trial.

    Until then the study has nothing to lose, and another sweep may be the first. Call both under
    the study's lock.
    """

    def __init__(self, study: optuna.Study, definition: dict[str, Any]) -> None:
        self.study, self.definition = study, definition
        self.recorded = DEFINITION in study.user_attrs

    def check(self) -> None:
        """Raise SweepError where another sweep has recorded another search by now."""
        if not self.recorded:
            check_definition(self.study, self.definition, may_move=False)

    def record(self) -> None:
        """Record the search, where no sweep has."""
        if not self.recorded and DEFINITION not in self.study.user_attrs:
            self.study.set_user_attr(DEFINITION, self.definition)
        self.recorded = True
