"""Searched settings whose values go together: one of them is searched, and the others follow it."""

from collections.abc import Hashable, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.search_space import SearchSpace
from mnist_sweep.sweep.space.values import override_value, read
from mnist_sweep.sweep.zipped import SETTING, check_lengths


def follow(space: SearchSpace, groups: Sequence[Sequence[str]]) -> None:
    """Have the settings of each group follow its first, in place: under conditions on its value.

    Raises SweepError for a setting that is not searched among values, and for lists of different
    lengths.
    """
    for leader, *others in groups:
        values = {name: _choices(space, name) for name in (leader, *others)}
        check_lengths({name: len(choices) for name, choices in values.items()})
        first = [override_value(choice) for choice in values[leader]]
        if len(set(first)) < len(first):
            raise SweepError(
                f"{SETTING}: {leader}={','.join(first)} has a value twice, and the others follow "
                "it: name another setting first"
            )
        branches = space.conditional.setdefault(leader, {})
        for name in others:
            del space.settings[name]
            for text, value in zip(first, values[name], strict=True):
                found = read(text)
                key = found if isinstance(found, Hashable) else text  # a list has no other
                branches.setdefault(key, {})[name] = override_value(value)


def _choices(space: SearchSpace, name: str) -> Sequence[Any]:
    among = space.settings.get(name)
    if not isinstance(among, CategoricalDistribution):
        given = "is not searched" if among is None else f"is {among}"
        raise SweepError(f"{SETTING}: {name} {given}; give it a list of values, as in {name}=a,b")
    return among.choices
