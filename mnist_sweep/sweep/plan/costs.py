"""What a sweep will take, in time and on disk: some configurations are timed, others estimated."""

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from optuna.pruners import BasePruner, NopPruner

from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.opening import Search
from mnist_sweep.sweep.plan import pruned
from mnist_sweep.sweep.plan.draws import Drawn, Survey
from mnist_sweep.sweep.plan.rates import Rates, fitted, spread_over
from mnist_sweep.sweep.plan.span import Span, span
from mnist_sweep.sweep.plan.standing import Standing
from mnist_sweep.sweep.plan.timing import CONFIGURATIONS, Timer, ask
from mnist_sweep.sweep.probe import Probe, RunCost

T = TypeVar("T")

ESTIMATED = 60  # feasible draws whose cost is estimated
# A machine's speed from one minute to the next, standard deviation as a share: docs/performance.md
# has seen 15% more or less.
DRIFT = 0.075
EXPECTED = "the pruner's own rule on made-up learning curves"


@dataclass(frozen=True)
class TimedDraw:
    """A configuration that was timed."""

    drawn: Drawn
    cost: RunCost

    @property
    def epoch(self) -> float:
        """The median of an epoch's seconds."""
        return statistics.median(self.cost.epoch_seconds)

    @property
    def run(self) -> float:
        """The seconds of a run of all its epochs."""
        return self.cost.overhead + self.cost.epochs * self.epoch


@dataclass(frozen=True)
class Pruning:
    """What share of the epochs is trained, who says so, and how long the sweep takes then."""

    share: float
    source: str
    span: Span


@dataclass(frozen=True)
class Disk:
    """Bytes that a finished trial leaves, that all of them leave, and that running ones add."""

    trial: float
    sweep: float
    running: float


@dataclass(frozen=True)
class Costs:
    """What a sweep costs. `runs`: the seconds of whole runs, of feasible draws.

    As timed, or as long on average as the study's own trials have been, if it has enough of them.
    `timed`: the smallest and the largest that is feasible first. `start_up`: seconds until the
    workers begin. `pruning` is None where nothing is pruned, or nobody knows how much.
    `disk` is by the mean of what was timed; None where the application does not say.
    """

    timed: list[TimedDraw]
    runs: list[float]
    rates: Rates
    start_up: float
    whole: Span
    pruning: Pruning | None
    disk: Disk | None
    notes: tuple[str, ...]

    @property
    def smallest(self) -> TimedDraw:
        """The feasible configuration with the smallest count."""
        return self.timed[0]

    @property
    def largest(self) -> TimedDraw:
        """The feasible configuration with the largest count."""
        return self.timed[1]

    @property
    def typical(self) -> float:
        """The mean seconds of a whole run."""
        return statistics.mean(self.runs)


def ends(survey: Survey) -> tuple[Drawn, Drawn]:
    """Return the feasible draws with the smallest and the largest count, by the gate's first."""
    feasible = survey.feasible
    if not survey.counted:
        return feasible[0], feasible[-1]
    name = survey.counted[0]
    ranked = sorted(feasible, key=lambda drawn: drawn.figures.get(name, 0.0))
    return ranked[0], ranked[-1]


def find_costs(
    given: Given,
    probe: Probe,
    search: Search,
    survey: Survey,
    standing: Standing,
    timer: Timer,
    pruner: BasePruner,
) -> Costs:
    """Time some feasible configurations, and estimate the sweep. Raises what the probe raises."""
    sampled = _evenly(survey.feasible, ESTIMATED)
    untimed = [ask(probe, *search.compose(drawn.overrides), 0.0) for drawn in sampled]
    chosen = _to_time(survey, sampled, untimed, timer.workers)
    print(
        f"timing {len(chosen)} configurations, {timer.workers} at once: about "
        f"{math.ceil(len(chosen) / timer.workers * (timer.seconds + 0.5))}s",
        file=sys.stderr,
    )
    found = timer.time([drawn.overrides for drawn in chosen])
    timed = [TimedDraw(drawn, cost) for drawn, cost in zip(chosen, found, strict=True)]
    rates = fitted(found)
    runs = [rates.run(cost) for cost in untimed]
    if standing.run_seconds is not None:  # hours of training say more than seconds
        scale = standing.run_seconds / statistics.mean(runs)
        runs = [seconds * scale for seconds in runs]
    overhead = statistics.mean(cost.overhead for cost in untimed)

    def whole(shares: Sequence[Sequence[float]]) -> Span:
        return span(
            runs,
            shares,
            standing.left,
            timer.workers,
            timer.start_up,
            math.hypot(rates.spread, DRIFT),
            given.settings.timeout,
            overhead,
        )

    notes = dict.fromkeys(note for cost in [*untimed, *found] for note in cost.notes)
    epochs = round(statistics.median(cost.epochs for cost in untimed))
    total = standing.ended + standing.left
    shares, source = _shares(pruner, standing, epochs, total, timer.workers)
    return Costs(
        timed,
        runs,
        rates,
        timer.start_up,
        whole([[1.0] * total]),
        None
        if source is None
        else Pruning(
            pruned.mean_share([s[-standing.left :] for s in shares]), source, whole(shares)
        ),
        _disk(found, standing.left, timer.workers, given.settings.keep_weights),
        tuple(notes),
    )


def _disk(
    timed: Sequence[RunCost], trials: int, workers: int, keep_weights: int | None
) -> Disk | None:
    """Return what trials take on disk; `keep_weights` of them keep their weights, None: all."""
    known = [(c.records, c.weights, c.checkpoint) for c in timed if c.records is not None]
    if not known:
        return None
    records, weights, checkpoint = np.mean(known, axis=0)
    kept = trials if keep_weights is None else min(trials, keep_weights)
    together = trials * records + kept * weights
    return Disk(float(records + weights), float(together), float(workers * checkpoint))


def _shares(
    pruner: BasePruner, standing: Standing, epochs: int, trials: int, workers: int
) -> tuple[list[list[float]], str | None]:
    """Return what share of its epochs each trial trains, and who says so; None: nobody does."""
    if isinstance(pruner, NopPruner):
        return [], None
    if standing.epochs_share is not None:
        source = f"the {standing.ended} trials of the study so far"
        return [[standing.epochs_share] * trials], source
    if not pruned.is_predictable(pruner):
        return [], None
    return pruned.shares(pruner, epochs, trials, workers), EXPECTED


def _to_time(
    survey: Survey, sampled: Sequence[Drawn], untimed: Sequence[RunCost], workers: int
) -> list[Drawn]:
    """Return what is timed: the ends by count, then what spreads over cost; whole rounds of it."""
    smallest, largest = ends(survey)
    count = math.ceil(CONFIGURATIONS / workers) * workers
    between = [sampled[n] for n in spread_over(untimed, count - 2)]
    chosen = [smallest, largest, *between]
    while len(chosen) < count:  # the space has no more: time them again
        chosen.append(chosen[len(chosen) % (len(between) + 2)])
    return chosen[: max(count, 2)]


def _evenly(items: Sequence[T], count: int) -> list[T]:
    """Return at most so many items, from all over the sequence."""
    step = max(1.0, len(items) / count)
    return [items[int(n * step)] for n in range(min(count, len(items)))]
