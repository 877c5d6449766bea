"""Which values a run's settings may have, as far as each can be judged without the others.

`config.check` goes by it, and docs/settings.md says it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_sweep.objectives import METRICS, OBJECTIVES

DEVICES = ("auto", "cpu", "cuda")
LAYOUTS = ("auto", "channels_last", "contiguous")
LOSSES = ("cross_entropy", "mse")
DRY_RUN = (False, True, "json")  # what `dry_run` may be
DRY_RUN_CHOICES = "false, true, json"
MOST_EPOCHS = 1_000_000  # beyond it a slip of the key, which would train for years
MAX_THREADS = 1024  # far above it, OpenMP crashes the process


@dataclass(frozen=True)
class Allowed:
    """`text`: what a value must be, as in "must be at least 1".

    `choices`: all that there are, as an override writes them; () where they cannot be listed. Only
    then is None allowed, wherever the type has it.
    """

    text: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()

    def objection(self, name: str, value: Any) -> str | None:
        """Say why a setting cannot have a value; None where it can."""
        if (value is None and not self.choices) or self.holds(value):
            return None
        return f"{name} must be {self.text}, but got {repr(value) if self.choices else value}"


def at_least(least: int) -> Allowed:
    """Allow numbers from `least` on."""
    return Allowed(f"at least {least}", lambda value: value >= least)


def at_most(most: int) -> Allowed:
    """Allow numbers up to `most`."""
    return Allowed(f"at most {most}", lambda value: value <= most)


def one_of(values: Sequence[Any], choices: Sequence[str] | None = None) -> Allowed:
    """Allow some values; `choices`: as an override writes them, where they are no texts."""
    names = tuple(values if choices is None else choices)
    return Allowed(f"one of {', '.join(names)}", lambda value: value in values, names)


FINITE = Allowed("finite", math.isfinite)
POSITIVE = Allowed("greater than 0", lambda value: value > 0)
BETWEEN_0_AND_INFINITY = Allowed("in (0, inf)", lambda value: 0 < value < math.inf)
SHARE = Allowed("in (0, 1]", lambda value: 0 < value <= 1)

# By the setting's full name, in the order in which they are checked.
ALLOWED: dict[str, tuple[Allowed, ...]] = {
    "epochs": (at_least(1), at_most(MOST_EPOCHS)),
    "batch_size": (at_least(1),),
    "seed": (at_least(0), Allowed("below 2**32", lambda value: value < 2**32)),
    "threads": (at_least(1), at_most(MAX_THREADS)),
    "budget.max_parameters": (at_least(1),),
    "early_stopping.patience": (at_least(1),),
    "early_stopping.min_delta": (at_least(0), FINITE),
    "data.validation": (at_least(1),),
    "data.split_seed": (at_least(0), Allowed("below 2**63", lambda value: value < 2**63)),
    "ema.every": (at_least(1),),
    "data.std": (POSITIVE, FINITE),
    "data.timeout": (POSITIVE, FINITE),
    "data.mean": (FINITE,),
    "keep.monitor": (one_of(METRICS),),
    "keep.mode": (one_of(("min", "max")),),
    "early_stopping.monitor": (one_of(METRICS),),
    "early_stopping.mode": (one_of(("min", "max")),),
    "dry_run": (one_of(DRY_RUN, DRY_RUN_CHOICES.split(", ")),),
    "device": (one_of(DEVICES),),
    "precision": (one_of(("float32", "bfloat16")),),
    "layout": (one_of(LAYOUTS),),
    "tracking.figures": (one_of(("single", "always", "never")),),
    "objective": (one_of(OBJECTIVES),),  # each of them, where it is a list
    "loss": (one_of(LOSSES),),
    "label_smoothing": (Allowed("in [0, 1)", lambda value: 0 <= value < 1),),
    "ema.decay": (Allowed("in (0, 1)", lambda value: 0 < value < 1),),
    "clip_norm": (BETWEEN_0_AND_INFINITY,),
    "distill.temperature": (BETWEEN_0_AND_INFINITY,),
    "distill.weight": (SHARE,),
    "data.augmentation.until": (SHARE,),
}


def objections(run: Any) -> Iterator[str]:
    """Yield what is wrong with the values of a run's settings, which attributes hold."""
    for name, all_allowed in ALLOWED.items():
        found: Any = run
        for part in name.split("."):
            found = getattr(found, part)
        for value in found if isinstance(found, list) else [found]:
            said = (allowed.objection(name, value) for allowed in all_allowed)
            yield from (each for each in said if each)
