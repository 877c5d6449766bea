"""How some hours are divided between searching and confirming."""

import math
from contextlib import suppress
from dataclasses import dataclass, replace

from mnist_sweep.best.question import QuestionError
from mnist_sweep.text import duration

CONFIRMING = 0.4  # of the time, at most: the rest finds what there is to confirm
CLOSING = 30.0  # seconds that starting, the report and the bundle take
FEWEST = 3  # trials, without which a search says nothing
SEEDS = 2  # at least: one run has no interval
BEST = 2  # trials that are confirmed at least, since the default may be the first; it is a third
WORTHWHILE = 10  # trials, for which they are made shorter: fewer say little about a space


@dataclass(frozen=True)
class Costs:
    """What the plan says.

    `trial`: the seconds of a run of all epochs; `workers`: how many run at a time; `share`: how
    much of the epochs is trained where the pruner stops bad trials; `start_up`: the seconds until
    workers begin; `ended`: the trials that the study has already; `feasible`: the share of the
    space that passes the gate.
    """

    trial: float
    workers: int
    share: float = 1.0
    start_up: float = 0.0
    ended: int = 0
    feasible: float = 1.0

    def trials_in(self, seconds: float) -> int:
        """Return about how many trials end in so many seconds."""
        working = max(seconds - self.start_up, 0.0)
        return max(1, round(working * self.workers / (self.trial * self.share)))

    def runs_in(self, seconds: float) -> int:
        """Return how many whole runs end in so many seconds, in rounds of all workers."""
        return max(0, int((seconds - self.start_up) / self.trial)) * self.workers


@dataclass(frozen=True)
class Allowance:
    """Seconds for each part."""

    search: float
    confirm: float


def allow(
    hours: float, planned: float, costs: Costs, arms: int, seeds: int, begun: bool = False
) -> Allowance:
    """Divide so many hours, of which planning took `planned` seconds.

    Confirming `arms` configurations gets what all their runs take, with up to `seeds` seeds each,
    and no more than CONFIRMING of the time. Raises QuestionError where either part is too short,
    with how many hours would do; but not where the search has `begun`: that is not given up because
    the machine is slower by now.
    """
    usable = 3600 * hours - planned - CLOSING
    whole = costs.start_up + math.ceil(arms * seeds / costs.workers) * costs.trial
    confirm = max(min(whole, CONFIRMING * usable), 0.0)
    search = max(usable - confirm, 0.0)
    # The best and the default, and FEWEST trials to find them among.
    fewest = costs.start_up + math.ceil((BEST + 1) * SEEDS / costs.workers) * costs.trial
    shortest = costs.start_up + FEWEST * costs.trial / costs.workers
    if not begun and (search < shortest or confirm < fewest):
        enough = max(fewest / CONFIRMING, shortest / (1 - CONFIRMING)) + planned + CLOSING
        raise QuestionError(
            f"hours={hours:g} is too short: a trial takes about {duration(costs.trial)} here, "
            f"{costs.workers} at a time; give at least hours={rounded_up(enough / 3600)}, or fewer "
            "epochs"
        )
    return Allowance(search, confirm)


def shortened(
    hours: float, planned: float, costs: Costs, arms: int, seeds: int, epochs: int
) -> tuple[int, Costs] | None:
    """Return how many epochs less than `epochs` the hours are enough for, and what that costs.

    Enough is time for WORTHWHILE trials, none of them pruned: with few epochs there is little to
    save. None where not even one epoch would do.
    """
    for fewer in range(epochs - 1, 0, -1):
        found = replace(costs, trial=costs.trial * fewer / epochs, share=1.0)
        with suppress(QuestionError):
            search = allow(hours, planned, found, arms, seeds).search
            if found.trials_in(search) >= WORTHWHILE:
                return fewer, found
    return None


def seeds_that_fit(seconds: float, costs: Costs, arms: int, seeds: int) -> int:
    """Return with how many seeds so many configurations can be confirmed in the time."""
    return min(seeds, costs.runs_in(seconds) // arms)


def rounded_up(hours: float) -> str:
    """Return hours as people give them, not less: 0.05, 0.4, 12."""
    step = 0.01 if hours < 0.1 else 0.1 if hours < 10 else 1
    return f"{step * math.ceil(hours / step):.10g}"
