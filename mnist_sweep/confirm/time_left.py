"""How long a confirmation has left, by how long an epoch of each configuration takes."""

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.trials.outcomes import epochs_done


class Pace:
    """The pace of rounds of runs, of which `slots` are at work at a time, in their order.

    An epoch of one configuration may take as long as a hundred of another's, and the last run of a
    round goes on while the other slots have nothing left: so epochs alone say little about the
    time.
    """

    def __init__(
        self,
        rounds: Sequence[Sequence[SeedRun]],
        slots: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rounds, self.slots, self.clock = rounds, slots, clock
        self.runs = [run for each in rounds for run in each]
        self.before = self._done()
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
        done = self._done()
        costs = self._costs(done)
        scale = self._scale(done, costs)
        if scale is None:
            return None
        total = 0.0
        for each in self.rounds:
            ends = [0.0] * self.slots
            for run in each:
                ahead = (run.epochs - done[run.directory]) * costs[run.candidate.key]
                heapq.heapreplace(ends, ends[0] + ahead)
            total += max(ends)
        return total * scale

    def of(self, run: SeedRun) -> float | None:
        """Return the seconds that a run takes from where it is; None where nothing says so.

        Until an epoch is done, by the runs that the configurations are taken from.
        """
        done = self._done()
        costs = self._costs(done)
        scale = self._scale(done, costs)
        if scale is None:
            known = any(_seconds_of_source(each) for each in self.runs)
            scale = 1.0 if known else None
        if scale is None:
            return None
        return (run.epochs - done[run.directory]) * costs[run.candidate.key] * scale

    def only(self, rounds: Sequence[Sequence[SeedRun]]) -> None:
        """Leave out what is not in these rounds: what was dropped."""
        self.rounds = rounds

    def _done(self) -> dict[Path, int]:
        """Return how many epochs of each run are done, by its directory; every file is read."""
        return {run.directory: done_of(run) for run in self.runs}

    def _scale(self, done: Mapping[Path, int], costs: Mapping[str, float]) -> float | None:
        """Return the seconds that a slot takes for what costs one; None while no epoch is done."""
        came_to = sum(
            (done[run.directory] - self.before[run.directory]) * costs[run.candidate.key]
            for run in self.runs
        )
        return self.worked / came_to if came_to > 0 else None

    def _going(self) -> int:
        """Return how many slots are at work: in the first round that is not over."""
        waiting = (sum(not run.done for run in each) for each in self.rounds)
        return min(self.slots, next((count for count in waiting if count), 0))

    def _began(self) -> float | None:
        """Return when the first run began: its process was started before, once for many runs."""
        written = [run.written_at for run in self.runs]
        return min((at for at in written if at >= self.started), default=None)

    def _costs(self, done: Mapping[Path, int]) -> dict[str, float]:
        """Return how long an epoch of each configuration takes, in proportion to the others.

        By what its own runs have recorded; until they have, by the run that it is taken from.
        """
        seconds: dict[str, float] = {}
        epochs: dict[str, int] = {}
        source: dict[str, float] = {}
        for run in self.runs:
            key = run.candidate.key
            seconds[key] = seconds.get(key, 0.0) + _seconds(run)
            epochs[key] = epochs.get(key, 0) + done[run.directory]
            if taken := _seconds_of_source(run):
                source[key] = taken
        own = {key: seconds[key] / epochs[key] for key in seconds if seconds[key] and epochs[key]}
        both = own.keys() & source.keys()
        scale = sum(own[key] for key in both) / sum(source[key] for key in both) if both else 1.0
        known = own or source
        usual = sum(known.values()) / len(known) if known else 1.0
        guess = {key: scale * source[key] if key in source else usual for key in seconds}
        return guess | own


def done_of(run: SeedRun) -> int:
    """Return how many epochs of a run are done; one that has ended counts as whole."""
    return run.epochs if run.done else min(epochs_done(run.directory), run.epochs)


def _seconds_of_source(run: SeedRun) -> float | None:
    """Return the seconds of an epoch of the run that a configuration is taken from."""
    result = run.candidate.result
    epochs = result.get("epochs") or result.get("max_epochs")
    return result["seconds"] / epochs if result.get("seconds") and epochs else None


def _seconds(run: SeedRun) -> float:
    """Return how long the recorded epochs of a run took; one that is damaged says so itself."""
    with suppress(RecordError):
        return sum(
            line.get("seconds") or 0.0 for line in RunDirectory(run.directory).read_metrics()
        )
    return 0.0
