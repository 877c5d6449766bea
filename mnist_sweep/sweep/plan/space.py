"""What a sweep searches, and what of it is fixed, as rows to be read."""

from collections.abc import Iterator
from dataclasses import dataclass

from optuna.distributions import BaseDistribution

from mnist_sweep.sweep.opening import Search
from mnist_sweep.sweep.space.conditions import can_occur
from mnist_sweep.sweep.space.distributions import described
from mnist_sweep.sweep.space.grammar import Setting
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
    """Return what is fixed where a sweep could search it: by the command line, or by `params`."""
    space = search.space
    rows = []
    for name, setting, condition in _all(search):
        if not isinstance(setting, str):
            continue
        declared = space.declared.get(name.lstrip("+"))
        instead = described(declared) if isinstance(declared, BaseDistribution) else None
        by = "config" if name in space.optional else "command line"
        rows.append(Fixed(name, setting, by, instead, condition))
    rows += [Fixed(line, "deleted", "command line", None) for line in space.deletions]
    return rows


def _all(search: Search) -> Iterator[tuple[str, Setting, str | None]]:
    space = search.space
    for name, setting in space.settings.items():
        varies = name.lstrip("+") in space.varying
        yield name, setting, "the chosen group has it" if varies else None
    for outer, branches in space.conditional.items():
        for value, inner in branches.items():
            if not can_occur(space, outer, value, search.current):
                continue
            for name, setting in inner.items():
                yield name, setting, f"{outer}={override_value(value)}"
