"""Means with the intervals in which they are known, and several of them together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval, or of several together


@dataclass(frozen=True)
class Interval:
    """A mean, and the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 where all of it is above zero, -1 where all is below, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def over_seeds(values: Sequence[float], level: float = LEVEL, least: float = 0.0) -> Interval:
    """Return the mean of one figure a seed, with Student's t interval.

    It speaks of other seeds on the same images. `least`: a standard deviation of the values that is
    known, below which theirs is not taken to be. Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two seeds, but got {len(values)}")
    alike = min(values) == max(values)  # of which neither mean nor deviation is exact in floats
    mean = float(values[0]) if alike else float(np.mean(values))
    deviation = max(0.0 if alike else float(np.std(values, ddof=1)), least)
    factor = float(stats.t.ppf((1 + level) / 2, len(values) - 1))
    return _around(mean, factor * deviation / math.sqrt(len(values)))


def over_splits(figures: Iterable[tuple[int, float]]) -> Interval:
    """Return the mean of one figure a run, each given with its split: over splits, if several.

    Runs of one split share its training images, and are averaged first: what is drawn independently
    is a split. Of runs of a single split it is `over_seeds`, and raises what that does.
    """
    by_split: dict[int, list[float]] = {}
    for split, figure in figures:
        by_split.setdefault(split, []).append(figure)
    groups = list(by_split.values())
    return over_seeds(groups[0] if len(groups) == 1 else [sum(each) / len(each) for each in groups])


def in_pairs(
    first: Mapping[Any, float], other: Mapping[Any, float], level: float, step: float = 0.0
) -> Interval | None:
    """Return how far one's figures are above another's, in pairs of the seeds that both have.

    None for fewer than two of them. `step`: what figures are whole multiples of, as accuracies are
    of one image. A figure is then rounded by up to half a step, evenly, which is a variance of
    step^2 / 12, and a difference by twice that: seeds that happen to differ alike prove nothing.
    """
    shared = [seed for seed in first if seed in other]
    if len(shared) < 2:
        return None
    found = [first[seed] - other[seed] for seed in shared]
    return over_seeds(found, level, step / math.sqrt(6))


def shared_level(comparisons: int, level: float = LEVEL) -> float:
    """Return each interval's level for all of several to hold at `level` (Bonferroni)."""
    return 1 - (1 - level) / max(1, comparisons)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for all of them together: each is held against 1 less LEVEL.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6(2), 1979: whatever the values have to do with each other, the probability of any
    wrong rejection stays below the level, and it rejects all that Bonferroni's does.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted


def _around(mean: float, reach: float) -> Interval:
    return Interval(mean, mean - reach, mean + reach)
