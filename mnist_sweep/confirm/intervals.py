"""Means with the intervals in which they are known, and several of them together."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def over_seeds(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean of one figure a seed, with Student's t interval.

    It speaks of other seeds on the same images. Raises ValueError for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two seeds, but got {len(values)}")
    factor = stats.t.ppf((1 + level) / 2, len(values) - 1)
    return _around(float(np.mean(values)), float(factor * stats.sem(values)))


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
