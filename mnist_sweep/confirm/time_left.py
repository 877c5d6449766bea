"""How long a confirmation has left, by how long an epoch of each configuration takes."""

import heapq
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.trials.outcomes import epochs_done


class Pace:
    """The pace of jobs, each of some runs, of which `slots` are at work at a time, in their order.

    An epoch of one configuration may take as long as a hundred of another's, and the last job may
    run while the other slots have nothing left: so epochs alone say little about the time.
    """

    def __init__(
        self,
        jobs: Sequence[Sequence[SeedRun]],
        slots: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.jobs, self.slots, self.clock = jobs, slots, clock
        self.runs = [run for job in jobs for run in job]
        self.before = {run.directory: done_of(run) for run in self.runs}
        self.started, self.worked, self.going = clock(), 0.0, self._going()
        self.seen: float | None = None  # until when `worked` was counted

    def watch(self) -> None:
        """Count the time that the slots have worked since the last time, of all together."""
        now = self.clock()
        since = self._began() if self.seen is None else self.seen
        if since is not None:
            self.worked += max(now - since, 0.0) * self.going
            self.seen = now
        self.going = self._going()

    def left(self) -> float | None:
        """Return the seconds until all have ended; None while no epoch has."""
        costs = self._costs()
        done = {run.directory: done_of(run) for run in self.runs}
        came_to = sum(
            (done[run.directory] - self.before[run.directory]) * costs[run.candidate.key]
            for run in self.runs
        )
        if came_to <= 0:
            return None
        ends = [0.0] * self.slots
        for job in self.jobs:
            ahead = ((run.epochs - done[run.directory]) * costs[run.candidate.key] for run in job)
            heapq.heapreplace(ends, ends[0] + sum(ahead))
        return max(ends) * self.worked / came_to

    def _going(self) -> int:
        return min(self.slots, sum(any(not run.done for run in job) for job in self.jobs))

    def _began(self) -> float | None:
        """Return when the first run began: its process was started before, once for many runs."""
        written = [run.written_at for run in self.runs]
        return min((at for at in written if at >= self.started), default=None)

    def _costs(self) -> dict[str, float]:
        """Return how long an epoch of each configuration takes, in proportion to the others.

        By what its own runs have recorded; until they have, by the run that it is taken from.
        """
        seconds: dict[str, float] = {}
        epochs: dict[str, int] = {}
        source: dict[str, float] = {}
        for run in self.runs:
            key, result = run.candidate.key, run.candidate.result
            seconds[key] = seconds.get(key, 0.0) + _seconds(run)
            epochs[key] = epochs.get(key, 0) + done_of(run)
            if result.get("seconds") and result.get("max_epochs"):
                source[key] = result["seconds"] / result["max_epochs"]
        own = {key: seconds[key] / epochs[key] for key in seconds if seconds[key] and epochs[key]}
        both = own.keys() & source.keys()
        scale = sum(own[key] for key in both) / sum(source[key] for key in both) if both else 1.0
        usual = sum(own.values()) / len(own) if own else 1.0
        guess = {key: scale * source[key] if key in source else usual for key in seconds}
        return guess | own


def done_of(run: SeedRun) -> int:
    """Return how many epochs of a run are done; one that has ended counts as whole."""
    return run.epochs if run.done else min(epochs_done(run.directory), run.epochs)


def _seconds(run: SeedRun) -> float:
    """Return how long the recorded epochs of a run took; one that is damaged says so itself."""
    with suppress(RecordError):
        return sum(
            line.get("seconds") or 0.0 for line in RunDirectory(run.directory).read_metrics()
        )
    return 0.0
