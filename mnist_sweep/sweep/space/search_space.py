"""Search spaces in Hydra's override grammar, with settings that exist only under a condition."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.sweep.space.base_config import NOTHING, BaseConfig
from mnist_sweep.sweep.space.grammar import Setting, interpolates, plain_name
from mnist_sweep.sweep.space.values import override_value, read, same

UNKNOWN = object()  # what a choice is that has not been made
Choose = Callable[[str, BaseDistribution], Any]


@dataclass
class SearchSpace:
    """`settings` by name; `deletions` such as "~key"; `conditional` as the sweeper has it.

    `optional` are the settings that a config's `params` named and the command line did not.
    `varying` are those that a choice of a searched group brings or leaves out; `declared` is what
    `params` said before the command line was read.
    """

    settings: dict[str, Setting] = field(default_factory=dict)
    deletions: list[str] = field(default_factory=list)
    conditional: dict[str, dict[Any, dict[str, Setting]]] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    varying: set[str] = field(default_factory=set)
    declared: dict[str, Setting] = field(default_factory=dict)

    def searched(self) -> dict[str, BaseDistribution]:
        """Return what is searched unconditionally."""
        return _searched(self.settings)

    def fixed(self) -> dict[str, str]:
        """Return what is fixed unconditionally, as an override's text."""
        return {k: v for k, v in self.settings.items() if isinstance(v, str)}

    def distributions(self) -> Iterator[tuple[str, BaseDistribution]]:
        """Yield what is searched, conditionally too; a name as often as it has a condition."""
        for settings in self._all():
            yield from _searched(settings).items()

    def searched_under_conditions(self) -> list[str]:
        """Return the names of what is searched where a condition is met; sorted."""
        return sorted(set().union(*map(_searched, self._branches())))

    def ends(self, name: str) -> list[Any]:
        """Return the values of a setting that others lie between: of a range its two ends."""
        found: list[Any] = []
        for settings in self._all():
            setting = settings.get(name)
            if isinstance(setting, str):
                found.append(read(setting))
            elif isinstance(setting, CategoricalDistribution):
                found += setting.choices
            elif isinstance(setting, IntDistribution | FloatDistribution):
                found += [setting.low, setting.high]
        return found

    def names(self) -> set[str]:
        """Return the names of all settings, conditional ones included."""
        return set().union(*self._all())

    def _all(self) -> list[dict[str, Setting]]:
        return [self.settings, *self._branches()]

    def _branches(self) -> list[dict[str, Setting]]:
        return [i for branches in self.conditional.values() for i in branches.values()]

    def under_conditions(self) -> Iterator[tuple[str, str]]:
        """Yield the settings that branches give one value, with that value as text."""
        for branch in self._branches():
            for name, setting in branch.items():
                if isinstance(setting, str):
                    yield name, setting

    def walk(self, choose: Choose, current: BaseConfig) -> list[str]:
        """Return overrides whose searched values `choose` gives; without those UNKNOWN to it.

        A condition on what is not searched looks at the `current` value. A setting that the config
        with the chosen groups does not have is neither chosen nor among the overrides.
        """
        return _Walk(self, choose, current).overrides()

    def without_missing(self, has: Callable[[str], bool]) -> list[str]:
        """Drop searched settings that the config does not have; return their names.

        Only those that are not the user's own words: `optional` holds the names from the config.
        """
        missing = [
            name
            for name in sorted(self.optional & self.searched().keys())
            # A group that is searched may bring it, and "+name" is there to add it.
            if not (name.startswith("+") or name in self.varying) and not has(name)
        ]
        for name in missing:
            del self.settings[name]
        return missing

    def find_varying(self, current: BaseConfig) -> None:
        """Find the settings that some choices of the searched groups have, and others do not."""
        named = [n for n in self.names() if not n.startswith("+")]
        named += [plain_name(line.partition("=")[0]) for line in self.deletions]
        plain = {n for n in named if not current.is_group(n)}
        for _, _, groups in self.group_choices(current):
            if current.composed(groups) is not None:
                self.varying |= {n for n in plain if current.has(n, groups)}

    def group_choices(self, current: BaseConfig) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Yield each searched group with each of its choices, and the overrides of groups with it.

        One group at a time, the others as they are: all combinations may be too many.
        """
        searched = [(n, d) for n, d in self.distributions() if current.is_group(n)]
        fixed = {n: text for n, text in self.fixed().items() if current.is_group(n)}
        order = dict.fromkeys([*self.settings, *(name for name, _ in searched)])
        for name, distribution in searched:
            for choice in getattr(distribution, "choices", ()):
                texts = {**fixed, name: override_value(choice)}
                groups = tuple(f"{n}={texts[n]}" for n in order if n in texts)
                yield name, texts[name], groups

    def describe(self) -> dict[str, Any]:
        """Return the space as plain data, to be recorded and compared."""
        return {
            "settings": {name: str(setting) for name, setting in sorted(self.settings.items())},
            "deletions": sorted(self.deletions),
            "conditional": {
                outer: {
                    override_value(value): {n: str(s) for n, s in sorted(inner.items())}
                    for value, inner in sorted(branches.items(), key=lambda b: override_value(b[0]))
                }
                for outer, branches in sorted(self.conditional.items())
            },
        }


def _searched(settings: Mapping[str, Setting]) -> dict[str, BaseDistribution]:
    return {n: s for n, s in settings.items() if isinstance(s, BaseDistribution)}


class _Walk:
    """One way through a space: groups first, since they decide which settings there are."""

    def __init__(self, space: SearchSpace, choose: Choose, current: BaseConfig) -> None:
        self.space, self.choose, self.current = space, choose, current
        self.texts: dict[str, str] = {}  # overrides, in the order that they are made in
        self.unknown: set[str] = set()  # searched, and not chosen

    def overrides(self) -> list[str]:
        names = list(self.space.settings)
        self._take(self.space.settings, [n for n in names if self.current.is_group(n)])
        for outer in self.space.conditional:
            inner = self.branch(outer)
            self._take(inner, [n for n in inner if self.current.is_group(n)])
        self._take(self.space.settings, names)
        for outer in self.space.conditional:
            inner = self.branch(outer)
            self._take(inner, inner)
        lines = [f"{name}={text}" for name, text in self.texts.items()]
        return lines + [d for d in self.space.deletions if self._exists(d.partition("=")[0])]

    def _take(self, settings: Mapping[str, Setting], names: Iterable[str]) -> None:
        for name in names:
            setting = settings[name]
            if name in self.texts or plain_name(name) in self.unknown or not self._exists(name):
                continue
            if isinstance(setting, str):
                self.texts[name] = setting
                continue
            choice = self.choose(name, setting)
            if choice is UNKNOWN:
                self.unknown.add(plain_name(name))
            else:
                self.texts[name] = override_value(choice)

    def branch(self, outer: str) -> dict[str, Setting]:
        """Return the settings that hold with an outer setting's value."""
        value = self._value(outer)
        if value is UNKNOWN or value is NOTHING:
            return {}
        return branch_of(self.space.conditional[outer], value)

    def _value(self, outer: str) -> Any:
        for name in (outer, f"+{outer}", f"++{outer}"):
            if name in self.texts:
                text = self.texts[name]
                return self.current.value(outer) if interpolates(text) else read(text)
        if outer in self.unknown:
            return UNKNOWN
        if outer in self.space.settings and isinstance(
            self.space.settings[outer], BaseDistribution
        ):
            return UNKNOWN  # not chosen yet, or not in this config
        return self.current.value(outer, self._groups())

    def _exists(self, name: str) -> bool:
        plain = plain_name(name)
        if plain not in self.space.varying:
            return True
        if any(self.current.is_group(name) for name in self.unknown):
            return True  # whichever is chosen later may have it
        return bool(self.current.has(plain, self._groups()))

    def _groups(self) -> tuple[str, ...]:
        """Return the overrides of groups; see `Composer`, which keeps what these compose to."""
        chosen = [f"{n}={t}" for n, t in self.texts.items() if self.current.is_group(n)]
        return (*chosen, *(d for d in self.space.deletions if self.current.is_group(d)))


def branch_of(branches: Mapping[Any, dict[str, Setting]], value: Any) -> dict[str, Setting]:
    """Return the settings of the branch that a value takes; none where it takes none.

    A key that is text also stands for the value that it writes, as no other key can be null or a
    list: first what is the same, then what it reads as.
    """
    for key, inner in branches.items():
        if same(key, value):
            return inner
    for key, inner in branches.items():
        if isinstance(key, str) and same(read(key), value):
            return inner
    return {}
