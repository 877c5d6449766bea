"""What a sweep searches, and what of it is fixed, as rows to be read."""

from collections.abc import Iterator
from dataclasses import dataclass

from optuna.distributions import BaseDistribution

from mnist_sweep.hydra_part import given_overrides
from mnist_sweep.sweep.opening import Search
from mnist_sweep.sweep.space.conditions import can_occur
from mnist_sweep.sweep.space.distributions import described
from mnist_sweep.sweep.space.grammar import Setting, plain_name
from mnist_sweep.sweep.space.values import override_value


@dataclass(frozen=True)
class Searched:
    """A setting that is searched, and from what; `condition` is None where it always is."""

    setting: str
    distribution: str
    condition: str | None


@dataclass(frozen=True)
class Fixed:
    """A setting that has one value. `by`: what says so; `instead_of`: what would be searched."""

    setting: str
    value: str
    by: str
    instead_of: str | None
    condition: str | None = None


def searched(search: Search) -> list[Searched]:
    """Return what is searched, in the order that it is declared in."""
    return [
        Searched(name, described(setting), condition)
        for name, setting, condition in _all(search)
        if isinstance(setting, BaseDistribution)
    ]


def fixed(search: Search) -> list[Fixed]:
    """Return what is fixed where a sweep could search it: by the command line, or the config."""
    space = search.space
    lines = given_overrides(search.current.config.hydra, "task")
    typed = {plain_name(line.partition("=")[0]) for line in lines}
    rows = []
    for name, setting, condition in _all(search):
        if not isinstance(setting, str):
            continue
        declared = space.declared.get(name.lstrip("+"))
        instead = described(declared) if isinstance(declared, BaseDistribution) else None
        by = "command line" if plain_name(name) in typed else "config"
        rows.append(Fixed(name, setting, by, instead, condition))
    rows += [Fixed(line, "deleted", "command line", None) for line in space.deletions]
    return rows


def _all(search: Search) -> Iterator[tuple[str, Setting, str | None]]:
    space = search.space
    for name, setting in space.settings.items():
        if plain_name(name) != "dry_run":
            yield name, setting, _lacking(search, plain_name(name))
    for outer, branches in space.conditional.items():
        for value, inner in branches.items():
            if not can_occur(space, outer, value, search.current):
                continue
            for name, setting in inner.items():
                yield name, setting, f"{outer}={override_value(value)}"


def _lacking(search: Search, name: str) -> str | None:
    """Return under which choices of the searched groups a setting exists; None where always."""
    if name not in search.space.varying:
        return None
    having: dict[str, list[str]] = {}
    lacking = set()
    for group, choice, groups in search.space.group_choices(search.current):
        if search.current.has(name, groups):
            having.setdefault(group, []).append(choice)
        else:
            lacking.add(group)
    where = [f"{group}={' or '.join(having.get(group, []))}" for group in sorted(lacking)]
    return " and ".join(where) or None
