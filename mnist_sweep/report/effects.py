"""How much of a function's variance each of its settings makes alone, from values at some places.

A Gaussian process is fitted to the values, and its main effects are integrated over the ranges of
the settings: the first-order Sobol indices, which are what functional ANOVA calls the shares of
single settings (Hutter, Hoos and Leyton-Brown 2014). Forests, by which that is done elsewhere, give
too much to the strongest setting where there are fewer than hundreds of trials.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import qmc
from sklearn.tree import DecisionTreeClassifier

Array = NDArray[np.float64]
Place = Mapping[str, float]  # of each setting that is there, where it lies in its range, 0 to 1

POINTS = 512  # places over which effects are averaged; a power of 2, as Sobol's sequence wants
FOLDS = 5
STEPS = 12  # values of a setting between which its effect varies
FAR = 1.0  # between a conditional setting's absence and its values, in units of its range
# Priors of log length scales, after Hvarfner, Hellsten and Nardi 2024 (arXiv 2402.02229), which let
# a setting without an effect have none; of log noise, in units of the values' variance.
SCALE_MEAN, SCALE_SPREAD = math.sqrt(2.0), math.sqrt(3.0)
NOISE_MEAN, NOISE_SPREAD = -3.0, 2.0


@dataclass(frozen=True)
class Within:
    """A conditional setting's share of the variance where it is there; `skill`: see Effects."""

    share: float
    skill: float


@dataclass(frozen=True)
class Effects:
    """`alone`: the share of each setting that is everywhere; `within`: of the conditional ones.

    `skill`: the correlation of values with what was predicted for them without them.
    """

    alone: dict[str, float]
    within: dict[str, Within]
    skill: float


def effects(places: Sequence[Place], values: Sequence[float], names: Mapping[str, int]) -> Effects:
    """Return the effects of settings on values [n], which differ.

    `names`: the settings, with the number of their choices, or 0 for numbers. One that some places
    lack is conditional; when it is there is learned from the places, and its absence is a value of
    its own. It has a share of the variance there, and none where it is nowhere to be expected.
    """
    encoder = _Encoder(places, names)
    there = encoder.presence(places)
    given = encoder.encode(encoder.units(places), there)
    scaled = np.asarray(values, dtype=np.float64)
    scaled = (scaled - scaled.mean()) / scaled.std()
    process = _Process(given, encoder.owner, scaled)
    unseen = _unseen(given, encoder.owner, scaled)
    units = qmc.Sobol(len(names), seed=0).random(POINTS)

    def share(column: int, units: Array) -> float:
        total = process.predict(encoder.encode(units, encoder.expected(units))).var()
        steps = list(names.values())[column] or STEPS
        means = []
        for step in range(steps):
            fixed = units.copy()
            fixed[:, column] = (step + 0.5) / steps
            means.append(process.predict(encoder.encode(fixed, encoder.expected(fixed))).mean())
        return float(np.var(means) / total) if total > 0 else 0.0

    alone, within = {}, {}
    expected = encoder.expected(units)
    for column, name in enumerate(names):
        if column not in encoder.conditional:
            alone[name] = share(column, units)
        elif expected[:, column].any():
            rows = there[:, column]
            skill = _correlation(unseen[rows], scaled[rows])
            within[name] = Within(share(column, units[expected[:, column]]), skill)
    return Effects(alone, within, _correlation(unseen, scaled))


def unit(among: BaseDistribution, value: Any) -> float:
    """Return where a value lies in its range, from 0 to 1 on the range's own scale."""
    if isinstance(among, CategoricalDistribution):
        return (among.to_internal_repr(value) + 0.5) / len(among.choices)
    assert isinstance(among, FloatDistribution | IntDistribution)
    low, high, at = float(among.low), float(among.high), float(value)
    if low == high:
        return 0.5
    if among.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def _unseen(given: Array, owner: NDArray[np.int64], values: Array) -> Array:
    """Return for each value what is predicted by a process that has not seen it.

    In folds, each with a process fitted anew: one that leaves out a value, but not what was learned
    from it, finds its way in noise.
    """
    predicted = np.empty_like(values)
    fold = np.random.default_rng(0).permutation(len(values)) % FOLDS
    for number in range(FOLDS):
        kept = fold != number
        mean = values[kept].mean()
        process = _Process(given[kept], owner, values[kept] - mean)
        predicted[~kept] = process.predict(given[~kept]) + mean
    return predicted


def _correlation(one: Array, other: Array) -> float:
    if len(one) < 2 or min(one.std(), other.std()) < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


class _Encoder:
    """Turns places into columns: a number is one, a choice one a value, a condition one more."""

    def __init__(self, places: Sequence[Place], names: Mapping[str, int]) -> None:
        self.names = names
        there = self.presence(places)
        self.conditional = [n for n in range(len(names)) if not there[:, n].all()]
        # Whose column each is, so that a setting's columns share a length scale.
        widths = [max(1, choices) for choices in names.values()]
        widths = [w + (n in self.conditional) for n, w in enumerate(widths)]
        self.owner = np.repeat(np.arange(len(names)), widths)
        self.order: list[tuple[int, DecisionTreeClassifier]] = []
        self._learn(self.units(places), there)

    def units(self, places: Sequence[Place]) -> Array:
        """Return [places, settings]; where a setting is absent, the middle of its range."""
        return np.array([[place.get(name, 0.5) for name in self.names] for place in places])

    def presence(self, places: Sequence[Place]) -> NDArray[np.bool_]:
        """Return [places, settings]: whether a setting is there."""
        return np.array([[name in place for name in self.names] for place in places])

    def _learn(self, units: Array, there: NDArray[np.bool_]) -> None:
        """Learn from the places when each conditional setting is there, the most common first."""
        waiting = sorted(self.conditional, key=lambda n: -int(there[:, n].sum()))
        known = [n for n in range(len(self.names)) if n not in waiting]
        for column in waiting:
            present = there.copy()
            present[:, [n for n in range(len(self.names)) if n not in known]] = False
            tree = DecisionTreeClassifier(random_state=0)
            self.order.append((column, tree.fit(self.encode(units, present), there[:, column])))
            known.append(column)

    def expected(self, units: Array) -> NDArray[np.bool_]:
        """Return which settings are there at places [n, settings] anywhere in the ranges."""
        there = np.ones(units.shape, dtype=bool)
        there[:, self.conditional] = False
        for column, tree in self.order:
            there[:, column] = tree.predict(self.encode(units, there))
        return there

    def encode(self, units: Array, there: NDArray[np.bool_]) -> Array:
        """Return [n, columns]."""
        columns: list[Array] = []
        for number, choices in enumerate(self.names.values()):
            unit, present = units[:, number], there[:, number]
            if choices:
                chosen = np.minimum((unit * choices).astype(int), choices - 1)
                # Two choices are as far apart as the ends of a range.
                hot = (chosen[:, None] == np.arange(choices)) & present[:, None]
                columns += list(hot.T.astype(np.float64) / math.sqrt(2.0))
            else:
                columns.append(np.where(present, unit, 0.5))
            if number in self.conditional:
                columns.append(np.where(present, 0.0, FAR))
        return np.stack(columns, axis=1)


class _Process:
    """A Gaussian process with a Matern 5/2 kernel, a length scale a setting, and noise."""

    def __init__(self, given: Array, owner: NDArray[np.int64], values: Array) -> None:
        self.given, self.owner, self.values = given, owner, values
        count = int(owner.max()) + 1
        gaps = (given[:, None, :] - given[None, :, :]) ** 2
        self.gaps = np.stack([gaps[..., owner == n].sum(-1) for n in range(count)])
        self.scale_mean = SCALE_MEAN + 0.5 * math.log(count)
        starts = [np.full(count + 2, start) for start in (0.0, self.scale_mean)]
        for start in starts:
            start[-2:] = 0.0, NOISE_MEAN
        bounds = [(-3.0, 8.0)] * count + [(-5.0, 5.0), (-12.0, 1.0)]
        found = [
            minimize(self._loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
            for start in starts
        ]
        self.settings: Array = min(found, key=lambda each: float(each.fun)).x
        noise = math.exp(self.settings[-1]) * np.eye(len(values))
        self.weights = np.linalg.solve(self._kernel(self.settings)[0] + noise, values)

    def _kernel(self, settings: Array) -> tuple[Array, Array]:
        """Return the values' covariance without noise, and its slope by the squared distance."""
        squared = np.tensordot(np.exp(-2 * settings[:-2]), self.gaps, axes=1)
        height = math.exp(settings[-2])
        root = np.sqrt(5 * squared)
        fall = np.exp(-root)
        return height * (1 + root + root**2 / 3) * fall, -height * 5 / 6 * (1 + root) * fall

    def _loss(self, settings: Array) -> tuple[float, Array]:
        """Return the negative logarithm of the posterior density, and its gradient."""
        kernel, slope = self._kernel(settings)
        noise = math.exp(settings[-1])
        factor = cho_factor(kernel + (noise + 1e-9) * np.eye(len(kernel)), lower=True)
        inverse = cho_solve(factor, np.eye(len(kernel)))
        weights = inverse @ self.values
        loss = 0.5 * self.values @ weights + np.log(np.diag(factor[0])).sum()
        pull = 0.5 * (inverse - np.outer(weights, weights))
        by_scale = [
            (pull * slope * gaps).sum() * -2 * math.exp(-2 * scale)
            for scale, gaps in zip(settings[:-2], self.gaps, strict=True)
        ]
        gradient = np.array([*by_scale, (pull * kernel).sum(), noise * np.trace(pull)])
        means = np.array([self.scale_mean] * len(self.gaps) + [0.0, NOISE_MEAN])
        spreads = np.array([SCALE_SPREAD] * len(self.gaps) + [1.0, NOISE_SPREAD])
        off = (settings - means) / spreads
        return float(loss + 0.5 * off @ off), gradient + off / spreads

    def predict(self, places: Array) -> Array:
        """Return the expected values at places [n, columns]."""
        scaled = np.exp(-self.settings[self.owner])
        ours, theirs = self.given * scaled, places * scaled
        squared = (theirs**2).sum(1)[:, None] + (ours**2).sum(1) - 2 * theirs @ ours.T
        root = np.sqrt(5 * np.maximum(squared, 0.0))
        height = math.exp(self.settings[-2])
        expected: Array = height * (1 + root + root**2 / 3) * np.exp(-root) @ self.weights
        return expected
