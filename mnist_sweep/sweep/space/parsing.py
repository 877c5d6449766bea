"""From a config's `params` and `conditional`, and a command line, to a search space."""

from collections.abc import Iterable, Mapping
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.grammar import interpolates, lines_of, parse_line, plain_name
from mnist_sweep.sweep.space.search_space import UNKNOWN, SearchSpace, branch_of
from mnist_sweep.sweep.space.values import read, value_of


def parse_space(
    params: Mapping[str, Any] | None,
    conditional: Mapping[str, Any] | None,
    arguments: Iterable[str],
    current: BaseConfig | None = None,
    loader: ConfigLoader | None = None,
) -> SearchSpace:
    """Build the space from a config's `params` and `conditional` and from the command line.

    The command line wins: a value there fixes a setting, a sweep there replaces it. A fixed value
    for a conditional setting holds where its condition does. Raises SweepError for what Hydra's
    grammar or Optuna refuses.
    """
    space = SearchSpace()
    for line in lines_of(params or {}):
        space.settings.update(parse_line(line, loader)[0])
    space.declared, space.optional = dict(space.settings), set(space.settings)
    for line in arguments:
        settings, deletions = parse_line(line, loader)
        for name in settings:  # "++key=1" speaks of the same setting as "key=1"
            space.settings.pop(name.lstrip("+"), None)
            space.optional.discard(name.lstrip("+"))
        space.settings.update(settings)
        space.deletions += deletions
    for outer, branches in _plain(conditional).items():
        for key, inner in branches.items():
            branch = space.conditional.setdefault(outer, {}).setdefault(key, {})
            for line in lines_of(inner or {}):
                branch.update(parse_line(line, loader)[0])
    space.conditional = _in_order(space.conditional)
    for outer in space.conditional:
        _move_conditional(space, outer, current)
    return space


def _in_order(conditional: dict[str, Any]) -> dict[str, Any]:
    """Return conditions so that a setting is chosen before what depends on it."""
    ordered: dict[str, Any] = {}
    left = dict(conditional)
    while left:
        inner = {name.lstrip("+") for b in left.values() for s in b.values() for name in s}
        ready = [outer for outer in left if outer not in inner]
        if not ready:
            raise SweepError(
                f"hydra.sweeper.conditional: {', '.join(left)} depend on each other in a circle"
            )
        ordered |= {outer: left.pop(outer) for outer in ready}
    return ordered


def _move_conditional(space: SearchSpace, outer: str, current: BaseConfig | None) -> None:
    """Let what is said outright of a conditional setting hold only under its condition.

    Where the outer setting has one value, without a branch for it, it holds as it is said.
    """
    branches = space.conditional[outer]
    inner_names = {name for inner in branches.values() for name in inner}
    value = fixed_value(space, outer, current)
    for name in [n for n in space.settings if n.lstrip("+") in inner_names]:
        plain = name.lstrip("+")
        if value is not UNKNOWN and plain not in branch_of(branches, value):
            continue
        setting = space.settings.pop(name)
        for inner in branches.values():
            if plain in inner:
                inner[plain] = setting


def fixed_value(space: SearchSpace, outer: str, current: BaseConfig | None) -> Any:
    """Return the one value that a setting has in all trials, NOTHING where the config has none.

    UNKNOWN where it has several.
    """
    setting = next((space.settings[n] for n in space.settings if n.lstrip("+") == outer), None)
    if isinstance(setting, str) and not interpolates(setting):
        return read(setting)
    searched = {plain_name(name) for name, _ in space.distributions()}
    if current is None or isinstance(setting, BaseDistribution) or outer in searched:
        return UNKNOWN
    if any(current.is_group(name) for name in searched):
        return UNKNOWN if not current.is_group(outer) else current.value(outer)
    return current.value(outer)


def possible_values(distribution: BaseDistribution) -> list[Any] | None:
    """Return the values of a choice; None for a range or an interval."""
    choices = getattr(distribution, "choices", None)
    return None if choices is None else [value_of(choice) for choice in choices]


def _plain(conditional: Mapping[str, Any] | None) -> dict[str, Any]:
    if conditional is None:
        return {}
    plain = OmegaConf.to_container(OmegaConf.create(dict(conditional)), resolve=True)
    assert isinstance(plain, dict)
    return {str(name): branches for name, branches in plain.items() if branches}
