"""From the costs of the configurations that were timed to those of all others."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from mnist_sweep.sweep.probe import RunCost


@dataclass(frozen=True)
class Rates:
    """Seconds by unit of an epoch's work.

    `error`: by how much they miss the configurations that were timed, as a share of their seconds,
    root mean square. `spread`: standard deviation of the measurements of one configuration, as a
    share of their median.
    """

    seconds: dict[str, float]
    error: float
    spread: float

    def epoch(self, cost: RunCost) -> float:
        """Return the seconds of an epoch, by its work."""
        return sum(rate * _work(cost).get(name, 0.0) for name, rate in self.seconds.items())

    def run(self, cost: RunCost) -> float:
        """Return the seconds of a run of all its epochs."""
        return cost.overhead + cost.epochs * self.epoch(cost)


def fitted(timed: Sequence[RunCost]) -> Rates:
    """Fit rates to what was timed: least squares of the relative errors, without negative rates."""
    names = sorted({name for cost in timed for name in _work(cost)})
    measured = np.array([statistics.median(cost.epoch_seconds) for cost in timed])
    work = np.array([[_work(cost).get(name, 0.0) for name in names] for cost in timed])
    scale = work.max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0  # what nobody has: of each column, so that none is drowned by rounding
    relative = work / scale / measured[:, None]
    rates, _ = nnls(relative, np.ones(len(timed)))
    error = float(np.sqrt(np.mean((relative @ rates - 1) ** 2)))
    spreads = [
        statistics.stdev(cost.epoch_seconds) / statistics.median(cost.epoch_seconds)
        for cost in timed
        if len(cost.epoch_seconds) > 1
    ]
    return Rates(
        dict(zip(names, (float(rate) for rate in rates / scale), strict=True)),
        error,
        statistics.mean(spreads) if spreads else 0.0,
    )


def spread_over(costs: Sequence[RunCost], count: int) -> list[int]:
    """Return the positions of so many configurations: the cheapest, the dearest, and between.

    By the work of their epochs, of which each kind counts as a share of its mean.
    """
    names = sorted({name for cost in costs for name in _work(cost)})
    means = {name: statistics.mean(_work(c).get(name, 0.0) for c in costs) or 1.0 for name in names}

    def size(position: int) -> float:
        return sum(_work(costs[position]).get(name, 0.0) / means[name] for name in names)

    ranked = sorted(range(len(costs)), key=size)
    count = min(count, len(ranked))
    if count < 2:
        return ranked[:count]
    return [ranked[round(n * (len(ranked) - 1) / (count - 1))] for n in range(count)]


def _work(cost: RunCost) -> dict[str, float]:
    """Return an epoch's work; where an application says nothing of it, all epochs are alike."""
    return dict(cost.work) or {"epoch": 1.0}
