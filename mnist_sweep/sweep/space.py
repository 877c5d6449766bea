"""Search spaces in Hydra's override grammar, with settings that exist only under a condition."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution
from optuna.trial import Trial

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

Setting = BaseDistribution | str  # searched, or fixed to an override's text


@dataclass
class SearchSpace:
    """`settings` by name; `deletions` such as "~key"; `conditional` as in `BudgetSweeper`.

    `optional` are the settings that a config's `params` named and the command line did not.
    """

    settings: dict[str, Setting] = field(default_factory=dict)
    deletions: list[str] = field(default_factory=list)
    conditional: dict[str, dict[str, dict[str, Setting]]] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)

    def searched(self) -> dict[str, BaseDistribution]:
        """Return what is searched unconditionally."""
        return {k: v for k, v in self.settings.items() if isinstance(v, BaseDistribution)}

    def distributions(self) -> Iterator[tuple[str, BaseDistribution]]:
        """Yield what is searched, conditionally too; a name as often as it has a condition."""
        for settings in self._all():
            yield from ((n, s) for n, s in settings.items() if isinstance(s, BaseDistribution))

    def names(self) -> set[str]:
        """Return the names of all settings, conditional ones included."""
        return set().union(*self._all())

    def _all(self) -> list[dict[str, Setting]]:
        inner = [i for branches in self.conditional.values() for i in branches.values()]
        return [self.settings, *inner]

    def suggest(self, trial: Trial, choices: Mapping[str, Any]) -> list[str]:
        """Let a trial choose its settings; return them as overrides.

        `choices` are the config groups' choices, for a condition on a group that is not searched.
        """
        overrides: dict[str, str] = {}
        for name, setting in self.settings.items():
            overrides[name] = _choose(trial, name, setting)
        for outer, branches in self.conditional.items():
            chosen = overrides.get(outer, str(choices.get(outer)))
            for name, setting in branches.get(chosen, {}).items():
                overrides[name] = _choose(trial, name, setting)
        return [f"{name}={value}" for name, value in overrides.items()] + self.deletions

    def without_missing(self, has: Callable[[str], bool]) -> list[str]:
        """Drop searched settings that the config does not have; return their names.

        Only those that are not the user's own words: `optional` holds the names from the config.
        """
        searched = self.searched()
        missing = [
            name
            for name in sorted(self.optional & searched.keys())
            # A group that is searched too may bring it, and "+name" is there to add it.
            if not (name.startswith("+") or name.rpartition(".")[0].split(".")[0] in searched)
            and not has(name)
        ]
        for name in missing:
            del self.settings[name]
        return missing

    def describe(self) -> dict[str, Any]:
        """Return the space as plain data, to be recorded and compared."""
        return {
            "settings": {name: str(setting) for name, setting in sorted(self.settings.items())},
            "deletions": sorted(self.deletions),
            "conditional": {
                outer: {
                    value: {name: str(setting) for name, setting in sorted(inner.items())}
                    for value, inner in sorted(branches.items())
                }
                for outer, branches in sorted(self.conditional.items())
            },
        }


def _choose(trial: Trial, name: str, setting: Setting) -> str:
    if isinstance(setting, str):
        return setting
    return override_value(trial._suggest(name, setting))


def override_value(value: Any) -> str:
    """Return a parameter's value as Hydra's override grammar writes it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_space(
    params: Mapping[str, Any] | None,
    conditional: Mapping[str, Any] | None,
    arguments: Iterable[str],
) -> SearchSpace:
    """Build the space from a config's `params` and `conditional` and from the command line.

    The command line wins: a value there fixes a setting, a sweep there replaces it. A fixed value
    for a conditional setting holds where its condition does. Raises SweepError for what Hydra's
    grammar or Optuna refuses.
    """
    space = SearchSpace()
    for name, value in (params or {}).items():
        space.settings.update(_parse(f"{name}={value}")[0])
    space.optional = set(space.settings)
    for line in arguments:
        settings, deletions = _parse(line)
        for name in settings:  # "++key=1" speaks of the same setting as "key=1"
            space.settings.pop(name.lstrip("+"), None)
            space.optional.discard(name.lstrip("+"))
        space.settings.update(settings)
        space.deletions += deletions
    for outer, branches in _plain(conditional).items():
        for value, inner in branches.items():
            branch = space.conditional.setdefault(outer, {}).setdefault(override_value(value), {})
            for name, text in inner.items():
                branch.update(_parse(f"{name}={text}")[0])
    for outer in space.conditional:
        _move_conditional(space, outer)
    return space


def _move_conditional(space: SearchSpace, outer: str) -> None:
    """Let what is said outright of a conditional setting hold only under its condition.

    Where the outer setting is fixed to a value without a branch for it, it holds as it is said.
    """
    branches, fixed = space.conditional[outer], space.settings.get(outer)
    inner_names = {name for inner in branches.values() for name in inner}
    for name in [n for n in space.settings if n.lstrip("+") in inner_names]:
        plain = name.lstrip("+")
        if isinstance(fixed, str) and plain not in branches.get(fixed, {}):
            continue
        setting = space.settings.pop(name)
        for inner in branches.values():
            if plain in inner:
                inner[plain] = setting


def _parse(line: str) -> tuple[dict[str, Setting], list[str]]:
    try:
        searched, fixed, deletions = create_params_from_overrides([line])
        if fixed:  # the parser has split the value off; keep the text as it was written
            override = OverridesParser.create().parse_override(line)
            fixed = {override.get_key_element(): override.get_value_element_as_str()}
    except (HydraException, ValueError, NotImplementedError, AssertionError) as error:
        reason = one_line(error)
        raise SweepError(f"the search space's {line} cannot be read: {reason}") from error
    return {**searched, **fixed}, deletions


def _plain(conditional: Mapping[str, Any] | None) -> dict[str, Any]:
    if conditional is None:
        return {}
    plain = OmegaConf.to_container(OmegaConf.create(dict(conditional)), resolve=True)
    assert isinstance(plain, dict)
    return {str(name): branches for name, branches in plain.items() if branches}
