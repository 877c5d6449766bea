"""How long a sweep takes: its trials on its workers, each as long as some draw of the space."""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass

SWEEPS = 400  # made up, for the interval
INTERVAL = 0.9  # of them lie in it


@dataclass(frozen=True)
class Span:
    """Seconds from start to end: the mean, and where nine in ten sweeps lie.

    `launched`: how many trials the sweep launches, fewer than it could where its time ends first.
    """

    seconds: float
    low: float
    high: float
    launched: float


def span(
    runs: Sequence[float],
    shares: Sequence[Sequence[float]],
    trials: int,
    workers: int,
    start_up: float,
    spread: float,
    timeout: float | None = None,
    overhead: float = 0.0,
) -> Span:
    """Return how long so many trials take, the seconds of each drawn from `runs`.

    `shares`: for each of some studies, what share of its epochs each trial trains, of which a study
    that is resumed has the last. `overhead`: seconds of a run that no pruning spares. `spread`: by
    what share the machine is quicker or slower as a whole, standard deviation. No trial is launched
    after `timeout` seconds, which end no running one.
    """
    generator = random.Random(0)
    ends, launches = [], []
    for number in range(SWEEPS):
        pace = max(0.1, generator.gauss(1.0, spread))
        done = shares[number % len(shares)]
        drawn = generator.choices(runs, k=trials)
        left = done[len(done) - trials :]
        took = [
            pace * (overhead + (seconds - overhead) * share)
            for seconds, share in zip(drawn, left, strict=True)
        ]
        end, launched = _makespan(took, workers, timeout)
        ends.append(start_up + end)
        launches.append(launched)
    ends.sort()
    tail = round((1 - INTERVAL) / 2 * SWEEPS)
    return Span(sum(ends) / SWEEPS, ends[tail], ends[-1 - tail], sum(launches) / SWEEPS)


def _makespan(took: Sequence[float], workers: int, timeout: float | None) -> tuple[float, int]:
    """Return when the last of some trials ends that free workers take in turn; and how many run."""
    free = [0.0] * workers
    launched = 0
    for seconds in took:
        if timeout is not None and free[0] >= timeout:
            break
        heapq.heapreplace(free, free[0] + seconds)
        launched += 1
    return max(free), launched
