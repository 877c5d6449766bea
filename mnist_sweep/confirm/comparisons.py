"""What test images say of pairs of configurations: certain, equivalent, or how far from either."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mnist_sweep.confirm.conclusion import Comparison, Power
from mnist_sweep.confirm.crossed import Crossed
from mnist_sweep.confirm.intervals import LEVEL, holm, shared_level
from mnist_sweep.confirm.scores import Scored, compare

MARGIN = 0.0005  # of accuracy: differences below it count as none, unless told otherwise
MOST_SEEDS = 10_000  # that are worth naming as what would settle a difference


class Tested(Protocol):
    """A configuration by its title, with its scores on test images by seed."""

    test: dict[int, Scored]

    @property
    def title(self) -> str:
        """What it is called."""


def compare_all(arms: Sequence[Tested], margin: float) -> dict[str, Comparison]:
    """Return how the first compares with each of the others on test images, by title.

    The networks that are compared have also chosen who leads, and so which pairs are shown. What
    holds for these holds if it does for every pair: all of them are tested, and share the error.
    """
    pairs: dict[tuple[str, str], Crossed] = {}
    for n, one in enumerate(arms):
        for other in arms[n + 1 :]:
            found = compare(one.test, other.test)
            if found is not None:
                pairs[one.title, other.title] = found
    p_values = dict(zip(pairs, holm([f.p_value() for f in pairs.values()]), strict=True))
    count = len(arms) * (len(arms) - 1) // 2
    return {
        other.title: comparison(
            other.title,
            len(arms[0].test.keys() & other.test.keys()),
            pairs[arms[0].title, other.title],
            p_values[arms[0].title, other.title],
            count,
            margin,
        )
        for other in arms[1:]
        if (arms[0].title, other.title) in pairs
    }


def comparison(
    title: str, seeds: int, found: Crossed, p: float, together: int, margin: float
) -> Comparison:
    """Return what a difference says, as one of so many together.

    `p`: adjusted for all of them. Equivalence is decided by two one-sided tests (Schuirmann,
    Journal of Pharmacokinetics and Biopharmaceutics 15(6), 1987): the interval that leaves out 5%
    at each end, 90% where there is one comparison, has to lie within the margin.
    """
    deciding = found.interval(1 - 2 * (1 - LEVEL) / max(together, 1))
    return Comparison(
        title=title,
        seeds=seeds,
        difference=found.interval(shared_level(together)),
        p=p,
        equivalence=deciding,
        equivalent=-margin < deciding.low and deciding.high < margin,
        draws=found.seeds,
    )


def power(
    leader: Tested, second: Tested | None, found: Mapping[str, Comparison], arms: int
) -> Power | None:
    """Return what the seeds were enough for, between the first two that the race has left."""
    pair = compare(leader.test, second.test) if second else None
    if second is None or pair is None or not pair.variance:
        return None
    level = shared_level(arms * (arms - 1) // 2)
    known = found[second.title]
    more = None
    if not known.sign and not known.equivalent:
        more = _more_seeds(pair, level)
    return Power(pair.detectable(level), more)


def _more_seeds(pair: Crossed, level: float) -> int | None:
    """Return how many more seeds would put the interval on one side of zero; None: no number."""

    def settles(seeds: int) -> bool:
        return pair.with_seeds(seeds).reach(level) < abs(pair.mean)

    if not settles(MOST_SEEDS):
        return None
    low, high = pair.seeds, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high - pair.seeds
