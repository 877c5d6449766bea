"""The line of a trial that has ended: how it ended, how good it is, and what was tried in it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_sweep.sweep.space.base_config import NOTHING, BaseConfig
from mnist_sweep.sweep.space.grammar import plain_name
from mnist_sweep.sweep.space.values import override_value, same, value_of

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "_.-'"  # where an encoding has none of those
MOST = 8  # characters of a sparkline
BEST = "best"  # so far
NO_CHANGE = "default settings"


@dataclass(frozen=True)
class TrialLine:
    """What a trial's line shows, from left to right.

    `best`: whether no trial before it is better. `curve`: the objective after each of the steps
    done, of `steps` at most. `changes`: the settings that differ from the default, as "lr=0.01".
    """

    number: int
    state: str
    value: str
    best: bool
    parameters: int | None
    curve: Sequence[float]
    steps: int
    changes: Sequence[str]

    def fitted(self, columns: int | None, bars: str = BARS) -> str:
        """Return the line, which names as many changes as fit; all of them without `columns`."""
        width = min(self.steps, MOST)
        drawn = sparkline(self.curve, math.ceil(len(self.curve) * width / self.steps), bars)
        parts = [
            f"trial {self.number:>2} {self.state:6} {self.value:>6}",
            BEST if self.best else " " * len(BEST),
            *([] if self.parameters is None else [f"{self.parameters:>6,} params"]),
            *([] if width < 2 else [f"{drawn:{width}}"]),
        ]
        line = "  ".join(parts) + "  "
        left = None if columns is None else columns - len(line)
        return (line + _fitting(self.changes or [NO_CHANGE], left)).rstrip()


def _fitting(words: Sequence[str], columns: int | None) -> str:
    """Return the first words that fit, and how many there are beside them."""
    whole = " ".join(words)
    if columns is None or len(whole) <= columns:
        return whole
    for count in range(len(words) - 1, 0, -1):
        some = f"{' '.join(words[:count])} +{len(words) - count}"
        if len(some) <= columns:
            return some
    more = f"+{len(words)}"
    return more if len(more) <= columns else ""


def sparkline(values: Sequence[float], width: int, bars: str = BARS) -> str:
    """Return finite values as so many characters, from the least as the lowest to the greatest.

    Where there are more values, each character is the last one of its share of them.
    """
    if not values:
        return ""
    width = min(width, len(values))
    kept = [values[math.ceil((n + 1) * len(values) / width) - 1] for n in range(width)]
    low, high = min(kept), max(kept)
    if low == high:
        return bars[0] * width
    return "".join(bars[round((value - low) / (high - low) * (len(bars) - 1))] for value in kept)


@dataclass(frozen=True)
class Change:
    """A setting that a trial has chosen otherwise than the config; `group`: a choice of files."""

    name: str
    value: str
    group: bool

    @property
    def text(self) -> str:
        """Return it as "scheduler=cosine"."""
        return f"{self.name}={self.value}"

    @property
    def short(self) -> str:
        """Return it as "cosine" where it is a choice of files, whose name says what it is."""
        return self.value if self.group else self.text


def changes(params: Mapping[str, Any], names: Collection[str], current: BaseConfig) -> list[Change]:
    """Return what a trial has chosen otherwise than the `current` config, in the order of choice.

    `names` are all that the study searches: a setting is called by the last part of its name where
    no other ends in the same.
    """
    groups = {n: f"{n}={override_value(v)}" for n, v in params.items() if current.is_group(n)}
    short = _short_names({*names, *params})
    found = []
    for name, choice in params.items():
        default, value = current.value(name, list(groups.values())), value_of(choice)
        if default is NOTHING or not same(default, value):
            found.append(Change(short[name], _written(value, choice), name in groups))
    return found


def settings(params: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Return what a trial has chosen, as "lr=0.01", where the default config is not known.

    `names` are all that the study searches.
    """
    short = _short_names({*names, *params})
    return [f"{short[name]}={_written(value_of(c), c)}" for name, c in params.items()]


def _written(value: Any, choice: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else override_value(choice)


def _short_names(names: Collection[str]) -> dict[str, str]:
    """Return each setting's last part, or the whole of those that share it with another."""
    plain = {name: plain_name(name) for name in names}
    last = {name: text.rpartition(".")[2] for name, text in plain.items()}
    ends = [end for _, end in {(plain[name], last[name]) for name in names}]
    return {name: last[name] if ends.count(last[name]) == 1 else plain[name] for name in names}
