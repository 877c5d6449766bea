"""Which configurations of a space a study has not tried, so that none is run twice."""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.resolved import CONFIGURATION
from mnist_sweep.sweep.space.search_space import SearchSpace
from mnist_sweep.sweep.space.values import override_value
from mnist_sweep.sweep.trials.tally import Tally

Key = frozenset[str]

MANY = 10_000  # values of one setting, beyond which they are drawn and not listed


def key_of(params: Mapping[str, Any]) -> Key:
    """Return what tells a trial's parameters from another's."""
    return frozenset(f"{name}={_text(value)}" for name, value in params.items())


def _text(value: Any) -> str:
    """Return a value's text: of a step on a float scale, without the last digits' rounding."""
    return f"{value:.12g}" if isinstance(value, float) else override_value(value)


class Points:
    """The configurations of a space that no trial of a study has, as its tally was last renewed.

    `unfit` are those that the gate rejected in this process, whether or not they were recorded, and
    those that resolve to the configuration of another trial.
    """

    def __init__(self, tally: Tally, space: SearchSpace, current: BaseConfig) -> None:
        self.tally, self.space, self.current = tally, space, current
        self.unfit: set[Key] = set()
        self.read = 0  # how many of `tally.ended` are among the next two
        self.keys: set[Key] = set()
        self.digests: dict[str, int] = {}  # by each, a trial that was launched with it

    def tried(self) -> set[Key]:
        """Return what has been tried or is being tried, and what is unfit."""
        self._read_ended()
        return self.unfit | self.keys | {key_of(t.params) for t in self.tally.running if t.params}

    def same(self, digest: str | None, number: int) -> int | None:
        """Return the trial, but the one of this number, that was launched with a configuration.

        None where there is none. A trial that an older version launched has no digest: it is known
        by its parameters alone.
        """
        if digest is None:
            return None
        self._read_ended()
        if digest in self.digests:
            return self.digests[digest]
        for trial in self.tally.open:
            if trial.number != number and trial.system_attrs.get(CONFIGURATION) == digest:
                return trial.number
        return None

    def _read_ended(self) -> None:
        for trial in self.tally.ended[self.read :]:
            if trial.params:
                self.keys.add(key_of(trial.params))
            digest = trial.system_attrs.get(CONFIGURATION)
            if digest is not None:
                self.digests.setdefault(digest, trial.number)
        self.read = len(self.tally.ended)

    def untried(self, tried: set[Key], seed: int) -> dict[str, Any] | None:
        """Return some configuration that has not been tried; None where there is none.

        It takes as many steps at most as were tried: a space may be as large as it likes.
        """
        return next((p for p, _ in self._all(seed) if key_of(p) not in tried), None)

    def left(self, most: int) -> int:
        """Return how many configurations have not been tried, `most` where there are more."""
        tried, found = self.tried(), 0
        for params, endless in self._all(seed=0):
            found = most if endless else found + (key_of(params) not in tried)
            if found >= most:
                break
        return found

    def _all(self, seed: int) -> Iterator[tuple[dict[str, Any], bool]]:
        """Yield every configuration once, in random order; one of a continuum without end.

        With each, whether it is of a continuum.
        """
        generator = random.Random(seed)
        orders: list[list[Any]] = []  # at each choice of the way there: what is still to be tried
        while True:
            way = _Way(orders, generator)
            self.space.walk(way.choose, self.current)
            yield way.params, way.endless
            if way.endless:
                orders.clear()
                continue
            while orders and len(orders[-1]) == 1:
                orders.pop()
            if not orders:
                return
            orders[-1].pop()


class _Way:
    """One way through a space that takes the last value of each order, and adds what is missing."""

    def __init__(self, orders: list[list[Any]], generator: random.Random) -> None:
        self.orders, self.generator = orders, generator
        self.params: dict[str, Any] = {}
        self.endless = False  # whether a value was drawn from a continuum

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        if len(self.params) == len(self.orders):
            values = _values(distribution)
            if values is None:
                self.endless = True
                values = [_drawn(distribution, self.generator)]
            else:
                self.generator.shuffle(values)
            self.orders.append(values)
        self.params[name] = self.orders[len(self.params)][-1]
        return self.params[name]


class RandomDraw:
    """A configuration at random, half of them with every number at an end of its range.

    What a gate counts mostly grows with a number: the smallest is at an end, if not at all ends.
    """

    def __init__(self, generator: random.Random) -> None:
        self.generator, self.at_ends = generator, generator.random() < 0.5
        self.params: dict[str, Any] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Any:
        """Choose a parameter, as `SearchSpace.walk` asks for one."""
        if isinstance(distribution, CategoricalDistribution):
            chosen = self.generator.choice(distribution.choices)
        elif self.at_ends:
            chosen = self.generator.choice((distribution.low, distribution.high))  # type: ignore[attr-defined]
        else:
            chosen = _drawn(distribution, self.generator)
        self.params[name] = chosen
        return chosen


def _values(distribution: BaseDistribution) -> list[Any] | None:
    """Return the values of a distribution, each once; None where they are a continuum."""
    if isinstance(distribution, CategoricalDistribution):
        return list({override_value(c): c for c in distribution.choices}.values())
    if isinstance(distribution, IntDistribution):
        whole = range(distribution.low, distribution.high + 1, distribution.step)
        return list(whole) if len(whole) <= MANY else None
    assert isinstance(distribution, FloatDistribution)
    if distribution.low == distribution.high:
        return [distribution.low]
    if distribution.step is None:
        return None
    steps = round((distribution.high - distribution.low) / distribution.step)
    if steps >= MANY:
        return None
    return [distribution.low + n * distribution.step for n in range(steps + 1)]


def _drawn(distribution: BaseDistribution, generator: random.Random) -> float:
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    if distribution.step is not None:
        steps = round((high - low) / distribution.step)
        return low + generator.randint(0, steps) * distribution.step
    if distribution.log:
        return min(high, max(low, math.exp(generator.uniform(math.log(low), math.log(high)))))
    return generator.uniform(low, high)
