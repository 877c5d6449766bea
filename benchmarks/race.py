"""Whether confirm's intervals and its race hold what they promise, on simulated networks.

    python -m benchmarks.race intervals [repetitions]
    python -m benchmarks.race race [repetitions]

A network has an image right with the probability 1 / (1 + exp(-z)), where z = ability + seed -
image - own: every image is more or less difficult (standard deviation 3), also to one
configuration more than to another (`own`), every seed is better or worse, and what remains is
chance, as the order of batches is. With that, two equal networks of 99.4% disagree on 0.9% of the
images, and two of 98% on 2.6%. `ability` is set to give a configuration its true accuracy over all
images and seeds.

`intervals`: how often the 95% interval of a difference holds the true one, 0, with half its width
in points. Counted twice is the same interval with the interaction in both variances.

`race`: how often the truly best configuration is dropped, which must be at most 5%; which share of
the seeds the race saves against `race=false`; how many configurations are left; how often the
default is dropped; and how often the interval of the leader's difference to the default, on test
images and with the seeds that the default has, holds the true one: of all races, and of those that
dropped it.

All draws are seeded: the same command prints the same figures.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from mnist_sweep.confirm.crossed import Crossed, crossed
from mnist_sweep.confirm.race import Arm, drops, rounds
from mnist_sweep.confirm.scores import Scored, compare

Numbers = npt.NDArray[np.float64]

DIFFICULTY, OWN = 3.0, 1.0
BETWEEN = {"small": 0.05, "usual": 0.2, "large": 0.5}  # standard deviation of seeds, in logits
VALIDATION = TEST = 10_000
SEEDS = 10
SPECIMENS = 100_000  # images over which a true accuracy is taken


@dataclass(frozen=True)
class Scenario:
    """True accuracies of configurations, the default's last, and how much their seeds vary."""

    name: str
    accuracies: tuple[float, ...]
    between: str = "usual"


SCENARIOS = (
    Scenario("all equal", (0.994,) * 5),
    Scenario("close", (0.994, 0.9937, 0.9935, 0.9933, 0.993)),
    Scenario("spread", (0.994, 0.993, 0.992, 0.991, 0.988)),
    Scenario("one clear winner", (0.994, 0.99, 0.99, 0.99, 0.99)),
    Scenario("a poor default", (0.994, 0.9938, 0.9936, 0.9934, 0.98)),
    Scenario("close, seeds vary much", (0.994, 0.9937, 0.9935, 0.9933, 0.993), "large"),
    Scenario("spread, seeds vary much", (0.994, 0.993, 0.992, 0.991, 0.988), "large"),
)


class Networks:
    """A configuration of a true accuracy, from which hits [seeds, images] are drawn."""

    def __init__(self, accuracy: float, between: float, generator: np.random.Generator) -> None:
        self.between, self.generator = between, generator
        spread = (DIFFICULTY**2 + OWN**2 + between**2) ** 0.5
        z = stats.norm.ppf((np.arange(SPECIMENS) + 0.5) / SPECIMENS) * spread

        def excess(ability: float) -> float:
            return float(_probability(ability - z).mean()) - accuracy

        self.ability = optimize.brentq(excess, -50.0, 50.0)

    def hits(self, seeds: Numbers, difficulty: Numbers) -> Numbers:
        """Return hits of networks with these seeds' effects, on images this difficult."""
        own = self.generator.normal(0.0, OWN, difficulty.size)
        z = self.ability + seeds[:, None] - (difficulty + own)[None, :]
        return (self.generator.random(z.shape, dtype=np.float32) < _probability(z)).astype(float)

    def seeds(self, count: int) -> Numbers:
        """Return how much better so many seeds are."""
        return self.generator.normal(0.0, self.between, count)


def _probability(z: Numbers) -> Numbers:
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def counted_twice(found: Crossed) -> float:
    """Return half the interval with the interaction in both parts of the variance."""
    parts = (found.over_seeds, found.over_images)
    factors = [stats.t.ppf(0.975, count - 1) for count in (found.seeds, found.images)]
    total = sum(parts)
    weighted = sum(f * part for f, part in zip(factors, parts, strict=True))
    return float(weighted / total**0.5) if total else 0.0


def intervals(repetitions: int) -> None:
    """Print the coverage of a difference's interval, for configurations that are equal."""
    print("| accuracy | seeds vary | images | seeds | holds | ± | counted twice | ± |")
    print("|---|---|---|---|---|---|---|---|")
    for accuracy, images in ((0.97, 500), (0.98, 10_000), (0.994, 10_000)):
        for between, deviation in BETWEEN.items():
            for seeds in (2, 3, 5, 10):
                generator = np.random.default_rng(15)
                pair = [Networks(accuracy, deviation, generator) for _ in range(2)]
                cells = [f"{accuracy:.1%}", between, f"{images:,}", str(seeds)]
                found = [_difference(pair, seeds, images, generator) for _ in range(repetitions)]
                for reach in (Crossed.reach, counted_twice):
                    cells += _coverage(found, reach)
                print(f"| {' | '.join(cells)} |", flush=True)


def _difference(
    pair: Sequence[Networks], seeds: int, images: int, generator: np.random.Generator
) -> Crossed:
    difficulty = generator.normal(0.0, DIFFICULTY, images)
    first, second = (each.hits(each.seeds(seeds), difficulty) for each in pair)
    return crossed(first - second)


def _coverage(found: Sequence[Crossed], reach: Callable[[Crossed], float]) -> list[str]:
    reaches = [reach(each) for each in found]
    holds = np.mean([abs(f.mean) <= r for f, r in zip(found, reaches, strict=True)])
    return [f"{holds:.1%}", f"{100 * np.mean(reaches):.2f}"]


def races(repetitions: int) -> None:
    """Print what the race does in each scenario."""
    print(
        "| configurations | true accuracies | best dropped | seeds saved | left | "
        "default dropped | its interval holds | where it was dropped |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        generator = np.random.default_rng(15)
        deviation = BETWEEN[scenario.between]
        arms = [Networks(each, deviation, generator) for each in scenario.accuracies]
        ran = [_race(arms, scenario, generator) for _ in range(repetitions)]
        lost, saved, left, default, holds = (list(column) for column in zip(*ran, strict=True))
        among = [each for each, gone in zip(holds, default, strict=True) if gone]
        cells = [
            scenario.name,
            ", ".join(f"{100 * each:g}" for each in scenario.accuracies),
            f"{np.mean(lost):.1%}",
            f"{np.mean(saved):.0%}",
            f"{np.mean(left):.1f}",
            f"{np.mean(default):.0%}",
            f"{np.mean(holds):.1%}",
            f"{np.mean(among):.0%} of {len(among)}" if among else "",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def _race(
    arms: Sequence[Networks], scenario: Scenario, generator: np.random.Generator
) -> tuple[bool, float, int, bool, bool]:
    """Race once: whether the best was dropped, the share of seeds saved, and how many are left.

    And whether the default was dropped, and its interval on test holds the true difference.
    """
    seeds = list(range(SEEDS))
    effects = [arm.seeds(SEEDS) for arm in arms]
    validation, test = (
        [arm.hits(effect, difficulty) for arm, effect in zip(arms, effects, strict=True)]
        for difficulty in (generator.normal(0.0, DIFFICULTY, n) for n in (VALIDATION, TEST))
    )
    named = {str(n): _scored(hits) for n, hits in enumerate(validation)}
    dropped = drops({name: Arm(frozenset(seeds), each) for name, each in named.items()}, seeds)
    trained = sum(dropped[name].seeds if name in dropped else SEEDS for name in named)
    left = [name for name in named if name not in dropped]
    default = str(len(arms) - 1)
    leader = max(left, key=lambda name: validation[int(name)].mean())
    had = seeds[: dropped[default].seeds] if default in dropped else seeds
    one, other = (_scored(test[int(name)][had]) for name in (leader, default))
    found = compare(one, other)
    assert found is not None
    truth = scenario.accuracies[int(leader)] - scenario.accuracies[-1]
    holds = abs(found.mean - truth) <= found.reach()
    return "0" in dropped, 1 - trained / (SEEDS * len(arms)), len(left), default in dropped, holds


def _scored(hits: Numbers) -> dict[int, Scored]:
    return {seed: Scored(row, "same", 0) for seed, row in enumerate(hits)}


def main() -> None:
    """Run what the command line names."""
    what, *rest = sys.argv[1:] or [""]
    simulations = {"intervals": intervals, "race": races}
    if what not in simulations:
        sys.exit(f"give one of {', '.join(simulations)}; see benchmarks/race.py")
    print(f"rounds: {', '.join(map(str, rounds(SEEDS)))} seeds", file=sys.stderr)
    simulations[what](int(rest[0]) if rest else 1000)


if __name__ == "__main__":
    main()
