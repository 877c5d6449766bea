"""Means with the intervals in which they are known, over seeds and over images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Hits = npt.NDArray[np.bool_]

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


def for_another(found: Interval, seeds: int) -> Interval:
    """Return where one more seed's figure lies, given the interval of the mean of so many.

    One run varies more than the mean of `seeds` does: by the square root of `seeds` + 1, in a
    prediction interval of Student's.
    """
    return _around(found.mean, (found.high - found.mean) * (seeds + 1) ** 0.5)


def of_difference(first: Hits, second: Hits, level: float = LEVEL) -> Interval:
    """Return by how much the first's accuracy is above the second's: for other seeds and images.

    Both are [seeds, images], whether an image was classified right, with the same seeds and images
    in the same order; the difference is taken in pairs. Seeds and images are crossed random
    effects: the variances of the two marginal means are added, which counts their interaction
    twice and so errs on the side of caution (Owen, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1(2), 2007). The factor is the mean of Student's t of each, weighted by its variance
    (Cochran, Biometrics 20(1), 1964): with two or three seeds Satterthwaite's degrees of freedom
    err up to 12% of the time where 5% are allowed, this 7% at most in the same simulations.

    Raises ValueError for other shapes, or fewer than two seeds or images.
    """
    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < 2:
        raise ValueError(
            "hits must be of the same seeds and images, at least two of each, but are "
            f"{first.shape} and {second.shape}"
        )
    difference = first.astype(np.int8) - second.astype(np.int8)
    variances = [stats.sem(difference.mean(axis)) ** 2 for axis in (1, 0)]  # of seeds, of images
    factors = [stats.t.ppf((1 + level) / 2, count - 1) for count in difference.shape]
    total = float(sum(variances))
    weighted = sum(factor * part for factor, part in zip(factors, variances, strict=True))
    reach = float(weighted) / total**0.5 if total else 0.0
    return _around(float(difference.mean()), reach)


def shared_level(comparisons: int, level: float = LEVEL) -> float:
    """Return each interval's level for all of several to hold at `level` (Bonferroni)."""
    return 1 - (1 - level) / max(1, comparisons)


def _around(mean: float, reach: float) -> Interval:
    return Interval(mean, mean - reach, mean + reach)
