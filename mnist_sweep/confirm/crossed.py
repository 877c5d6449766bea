"""A mean over seeds and images that are crossed: how well it is known for others of both."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from mnist_sweep.confirm.intervals import LEVEL, Interval

Scores = npt.NDArray[np.float64]

POWER = 0.8  # the probability with which a difference that can be "seen" is seen


@dataclass(frozen=True)
class Crossed:
    """A mean over `seeds` x `images`, with the squared standard errors of its marginal means.

    Seeds and images are crossed random effects. `over_seeds` and `over_images` are of the means of
    each seed and of each image; the interaction of the two is in both, once each, as `interaction`:
    its mean square over the number of cells.
    """

    mean: float
    seeds: int
    images: int
    over_seeds: float
    over_images: float
    interaction: float

    @property
    def variance(self) -> float:
        """The variance of the mean: both marginal ones, with their interaction counted once.

        Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007, section 3. Never
        below either marginal variance: as estimates, their difference may be negative.
        """
        once = self.over_seeds + self.over_images - self.interaction
        return max(once, self.over_seeds, self.over_images)

    def reach(self, level: float = LEVEL) -> float:
        """Return half the width of the interval at a level.

        The factor is the mean of Student's t of each part, weighted by its variance (Cochran,
        Biometrics 20(1), 1964). Satterthwaite's degrees of freedom err too often with two or three
        seeds; docs/confirmation.md has the coverage of this one.
        """
        total = self.variance
        if not total:
            return 0.0
        share = self.over_seeds / total
        of_seeds, of_images = (
            float(stats.t.ppf((1 + level) / 2, count - 1)) for count in (self.seeds, self.images)
        )
        return (share * of_seeds + (1 - share) * of_images) * math.sqrt(total)

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the mean with its interval at a level."""
        reach = self.reach(level)
        return Interval(self.mean, self.mean - reach, self.mean + reach)

    def p_value(self) -> float:
        """Return the two-sided p-value of a mean of zero: 1 less the level that just reaches it."""
        distance = abs(self.mean)
        if not distance or not self.variance:
            return float(not distance)
        smallest = 1e-12
        if self.reach(1 - smallest) < distance:
            return smallest
        return float(optimize.brentq(lambda p: self.reach(1 - p) - distance, smallest, 1.0))

    def with_seeds(self, seeds: int) -> "Crossed":
        """Return what the same mean would come to with another number of seeds.

        By the variance components of the two-way layout, none of them below zero.
        """
        between = max(self.over_seeds - self.interaction, 0.0) * self.seeds / seeds
        among = max(self.over_images - self.interaction, 0.0)
        interaction = self.interaction * self.seeds / seeds
        return Crossed(
            self.mean, seeds, self.images, between + interaction, among + interaction, interaction
        )

    def detectable(self, level: float = LEVEL) -> float:
        """Return the true difference that would be told from zero with probability POWER."""
        return self.reach(level) + float(stats.norm.ppf(POWER)) * math.sqrt(self.variance)


def crossed(scores: Scores) -> Crossed:
    """Return the mean of scores [seeds, images] with what decides how well it is known.

    Raises ValueError for fewer than two seeds or images.
    """
    if scores.ndim != 2 or min(scores.shape) < 2:
        raise ValueError(
            f"scores must be of at least two seeds and two images, but are {scores.shape}"
        )
    seeds, images = scores.shape
    cells = scores.size
    mean = float(scores.mean())
    rows, columns = scores.mean(1) - mean, scores.mean(0) - mean
    squares = float(((scores - mean) ** 2).sum() - images * (rows**2).sum())
    squares -= float(seeds * (columns**2).sum())
    interaction = max(squares, 0.0) / ((seeds - 1) * (images - 1)) / cells
    return Crossed(
        mean,
        seeds,
        images,
        float((rows**2).sum()) / (seeds - 1) / seeds,
        float((columns**2).sum()) / (images - 1) / images,
        interaction,
    )
