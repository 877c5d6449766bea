"""Whether what a search asks for can occur: its conditions, and that it searches anything."""

from typing import Any

from optuna.distributions import BaseDistribution

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import NOTHING, BaseConfig
from mnist_sweep.sweep.space.grammar import Setting, member
from mnist_sweep.sweep.space.parsing import fixed_value, possible_values
from mnist_sweep.sweep.space.search_space import UNKNOWN, SearchSpace, branch_of
from mnist_sweep.sweep.space.values import override_value, read


def check_conditions(space: SearchSpace, current: BaseConfig) -> list[str]:
    """Return a line for each condition that never holds, with what is not searched therefore.

    Raises SweepError for a branch of a value that the outer setting cannot have: an option that its
    group has not, or a value that neither `params` nor the command line searches.
    """
    notes = []
    for outer, branches in space.conditional.items():
        _check_keys(space, outer, current)
        unmet = {
            key: inner
            for key, inner in branches.items()
            if not can_occur(space, outer, key, current)
        }
        names = sorted(
            {name for inner in unmet.values() for name in inner} - _reachable(space, outer, unmet)
        )
        if names:
            keys = " or ".join(override_value(key) for key in unmet)
            notes.append(
                f"{', '.join(names)} (only with {outer}={keys}; {_what_is(space, outer, current)})"
            )
    return notes


def _reachable(space: SearchSpace, outer: str, unmet: dict[Any, Any]) -> set[str]:
    """Return what other branches, or the space itself, search of the same names."""
    others = {
        name
        for each, branches in space.conditional.items()
        for key, inner in branches.items()
        if each != outer or key not in unmet
        for name in inner
    }
    return others | space.settings.keys()


def _check_keys(space: SearchSpace, outer: str, current: BaseConfig) -> None:
    setting = _setting(space, outer)
    if current.is_group(outer):
        options = current.options(outer)
        wrong = [
            k for k in space.conditional[outer] if options and override_value(k) not in options
        ]
        allowed = ", ".join(sorted(options))
    elif isinstance(setting, BaseDistribution):
        sources: list[Setting] = [setting]
        if outer in space.declared:
            sources.append(space.declared[outer])
        own = current.value(outer)
        wrong = [
            key
            for key in space.conditional[outer]
            if not any(_takes(source, key) for source in sources)
            and (own is NOTHING or not branch_of({key: {"": ""}}, own))
        ]
        allowed = str(setting)
    else:
        return
    if wrong:
        what = "option; its options are" if current.is_group(outer) else "value; it is from"
        raise SweepError(
            f"hydra.sweeper.conditional.{outer}.{override_value(wrong[0])} cannot occur: {outer} "
            f"has no such {what} {allowed}"
        )


def _setting(space: SearchSpace, outer: str) -> Setting | None:
    """Return how an outer setting is searched or fixed, be it under a condition itself."""
    plain = {name.lstrip("+"): setting for name, setting in space.settings.items()}
    inner = [s[outer] for b in space.conditional.values() for s in b.values() if outer in s]
    return plain.get(outer, inner[0] if inner else None)


def _takes(setting: Setting, key: Any) -> bool:
    """Whether a setting can have the value of a branch."""
    if isinstance(setting, str):
        return bool(branch_of({key: {"": ""}}, read(setting)))
    values = possible_values(setting)
    if values is not None:
        return any(branch_of({key: {"": ""}}, value) for value in values)
    value = read(key) if isinstance(key, str) else key
    return member(setting, value) is not None


def can_occur(space: SearchSpace, outer: str, key: Any, current: BaseConfig) -> bool:
    """Whether some trial can meet a condition: the outer setting having the value of a branch."""
    setting = _setting(space, outer)
    if isinstance(setting, BaseDistribution):
        return _takes(setting, key)
    value = fixed_value(space, outer, current)
    if value is UNKNOWN:
        return True  # it is what a choice of another group makes it
    return bool(branch_of({key: {"": ""}}, value))


def _what_is(space: SearchSpace, outer: str, current: BaseConfig) -> str:
    setting = _setting(space, outer)
    if isinstance(setting, BaseDistribution):
        values = possible_values(setting)
        shown = str(setting) if values is None else ", ".join(map(override_value, values))
        return f"{outer} is one of {shown}"
    value = fixed_value(space, outer, current)
    if value is NOTHING or value is UNKNOWN:
        return f"the config has no {outer}"
    return f"{outer} is {override_value(value)}"


def check_searches(space: SearchSpace, notes: list[str], current: BaseConfig) -> None:
    """Raise SweepError for a space in which every trial would be the same run."""
    seen: list[str] = []

    def choose(name: str, distribution: BaseDistribution) -> Any:
        seen.append(name)
        return UNKNOWN

    space.walk(choose, current)
    if seen:
        return
    unmet = f" (not searched: {'; '.join(notes)})" if notes else ""
    raise SweepError(
        f"nothing is searched{unmet}: every trial would be the same run. Sweep a setting, say "
        "'optimizer.lr=tag(log,interval(0.001,0.1))', or leave -m out for a single run"
    )
