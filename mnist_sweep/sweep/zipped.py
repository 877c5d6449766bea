"""Combinations of swept settings of which some advance together, as Python's zip does."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from mnist_sweep.sweep.errors import SweepError

SETTING = "hydra.sweeper.zip"


def groups_of(given: Any) -> list[list[str]]:
    """Return the groups of names that `hydra.sweeper.zip` has: [a,b] is one, [[a,b],[c,d]] two.

    Raises SweepError for anything else.
    """
    plain = OmegaConf.to_container(given) if OmegaConf.is_config(given) else given
    if plain is None or plain == []:
        return []
    groups = [plain] if isinstance(plain, list) and all(map(_is_name, plain)) else plain
    if not isinstance(groups, list) or not all(map(_is_group, groups)):
        raise SweepError(
            f"{SETTING} must list two or more settings, or several such lists, as in "
            f"[[model,optimizer.lr]], but got {plain}"
        )
    names = list(itertools.chain.from_iterable(groups))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SweepError(f"{SETTING} names {', '.join(twice)} twice: each setting has one place")
    return groups


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_group(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(map(_is_name, value))


def combinations(
    swept: Mapping[str, Sequence[str]], groups: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Return every combination of overrides, the last setting fastest; a group advances as one.

    `swept` has the overrides of each setting by its name, one where it is fixed. A group stands
    where its first setting does. Raises SweepError for a setting that has no list of values, and
    for lists of different lengths.
    """
    group_of = {name: tuple(group) for group in groups for name in group}
    for group in groups:
        _check(swept, group)
    axes: list[list[tuple[str, ...]]] = []
    done: set[str] = set()
    for name, overrides in swept.items():
        if name in done:
            continue
        together = [each for each in swept if each in group_of.get(name, (name,))]
        done.update(together)
        columns = [overrides] if together == [name] else [swept[each] for each in together]
        axes.append(list(zip(*columns, strict=True)))
    return [list(itertools.chain.from_iterable(chosen)) for chosen in itertools.product(*axes)]


def _check(swept: Mapping[str, Sequence[str]], group: Sequence[str]) -> None:
    lengths = {name: len(swept.get(name, ())) for name in group}
    for name, length in lengths.items():
        if length < 2:
            given = f"one value ({swept[name][0]})" if length else "no value"
            raise SweepError(
                f"{SETTING}: {name} has {given} on the command line; give it as many as the "
                f"others of {', '.join(group)}, as in {name}=a,b"
            )
    check_lengths(lengths)


def check_lengths(lengths: Mapping[str, int]) -> None:
    """Raise SweepError where the settings of a group have not as many values each, by name."""
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise SweepError(f"{SETTING} needs as many values of each setting, but {said}")
