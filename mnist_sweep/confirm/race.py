"""Which configurations need no more seeds: those that validation images separate from the leader.

Nothing here is remembered. The decisions of all rounds follow from the scores of the first seeds,
so the same command reaches the same ones after an interruption, and with more seeds later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnist_sweep.confirm.intervals import LEVEL, Interval
from mnist_sweep.confirm.scores import Scored, compare

# Of the error that the whole race is allowed, the share of the decision after so many seeds. It
# does not depend on how many seeds are asked for: more of them later spend what is left. The first
# decisions get little, since Student's factor with one or two degrees of freedom lets only huge
# differences pass anyway: in benchmarks/race.py equal shares save less.
SHARES = {2: 0.02, 3: 0.13, 5: 0.45, 10: 0.2, 20: 0.1, 50: 0.05, 100: 0.05}


@dataclass(frozen=True)
class Rival:
    """A configuration's seeds so far: those that have `ended`, and the scores of the usable."""

    ended: frozenset[int]
    scores: Mapping[int, Scored]

    def first(self, seeds: Sequence[int]) -> dict[int, Scored]:
        """Return the scores of some seeds, as far as it has them."""
        return {seed: self.scores[seed] for seed in seeds if seed in self.scores}


@dataclass(frozen=True)
class Dropped:
    """Why and when a configuration was dropped: after so many `seeds`, by which `leader`.

    `difference`: by how much its score is below the leader's, at `level`. None where too many of
    its seeds had diverged.
    """

    seeds: int
    leader: str
    difference: Interval | None
    level: float | None


def rounds(seeds: int) -> list[int]:
    """Return after how many seeds each round ends; a decision follows each but the last."""
    return [*(count for count in SHARES if count < seeds), seeds]


def level_of(after: int, arms: int) -> float:
    """Return the two-sided level of a comparison after so many seeds, with so many arms.

    The best arm is dropped only if one of the others is found to be better than it, in one of the
    decisions. An error to that side alone, shared among these, is the level's 5%.
    """
    return 1 - 2 * (1 - LEVEL) * SHARES[after] / max(arms - 1, 1)


def drops(arms: Mapping[str, Rival], seeds: Sequence[int]) -> dict[str, Dropped]:
    """Return which arms are dropped, by name, as far as their rounds are over.

    A round is over when all arms that were left have ended its seeds, the first of `seeds`.
    """
    dropped: dict[str, Dropped] = {}
    for after in rounds(len(seeds))[:-1]:
        ran = seeds[:after]
        left = {name: arm for name, arm in arms.items() if name not in dropped}
        if len(left) < 2 or any(not arm.ended.issuperset(ran) for arm in left.values()):
            break
        dropped |= _decide({n: arm.first(ran) for n, arm in left.items()}, after, len(arms))
    return dropped


def _decide(left: Mapping[str, Mapping[int, Scored]], after: int, arms: int) -> dict[str, Dropped]:
    leader = leader_of(left)
    if leader is None:
        return {}
    level, dropped = level_of(after, arms), dict[str, Dropped]()
    for name, scores in left.items():
        if name == leader:
            continue
        if 2 * len(scores) < after:
            dropped[name] = Dropped(after, leader, None, None)
            continue
        found = compare(left[leader], scores)
        if found is not None and found.interval(level).sign > 0:
            dropped[name] = Dropped(after, leader, found.interval(level), level)
    return dropped


def leader_of(arms: Mapping[str, Mapping[int, Scored]]) -> str | None:
    """Return the arm with the best mean score; None where none has two seeds."""
    means = {
        name: float(np.mean([each.values.mean() for each in scores.values()]))
        for name, scores in arms.items()
        if len(scores) >= 2
    }
    return max(means, key=means.__getitem__, default=None)
