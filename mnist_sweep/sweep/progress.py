"""How far a sweep is: what has ended, what is best, how long is left, and what runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mnist_sweep.sweep import summary
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.time_left import Pace
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.text import counted, duration


class Progress:
    """The progress of a study to `total` trials, whose runs are in `directory`.

    No trial is launched after `timeout` seconds. `pace` is to be told when trials begin and end;
    `max_epochs` has those of the trials that have recorded them.
    """

    def __init__(
        self,
        tally: Tally,
        total: int,
        written: ObjectiveText,
        directory: Path,
        slots: int,
        timeout: float | None = None,
    ) -> None:
        self.tally, self.total, self.written, self.directory = tally, total, written, directory
        self.pace = Pace(directory, slots, timeout=timeout)
        self.max_epochs: dict[int, int] = {}

    def done(self) -> int:
        """Return how many trials have ended."""
        return self.tally.finished

    def standing(self, running: Sequence[int]) -> str:
        """Return how long is left, what is best, and how many trials came to nothing.

        What is wanted most is first: a narrow terminal cuts the line. Before the first trial has
        ended, it says whether those that are `running` have begun.
        """
        counts = (f"{count} {name}" for name, count in self._counts() if count)
        known = [*self._left(), *self._best(), *counts]
        if known:
            return ", ".join(known)
        if running and not any(map(self._has_begun, running)):
            return f"starting {counted(len(running), 'worker')}"
        return "no trial done yet"

    def epochs(self, running: Sequence[int]) -> list[str]:
        """Return how far each running trial is."""
        shown = []
        for number in running:
            most = self.max_epochs.get(number)
            done = outcomes.epochs_done(self.directory / str(number))
            how_far = f" epoch {done}/{most}" if most else ""
            shown.append(f"trial {number}{how_far if self._has_begun(number) else ' is starting'}")
        return shown

    def _has_begun(self, number: int) -> bool:
        return number in self.max_epochs or self.pace.has_begun(number)

    def _best(self) -> list[str]:
        best = self.tally.best
        if best and len(self.tally.directions) == 1:
            return [f"best {self.written.all(best[0].values)} (trial {best[0].number})"]
        return [f"{len(best)} on the front"] if best else []

    def _counts(self) -> Iterator[tuple[str, int]]:
        by_status = self.tally.counts
        yield f"pruned{summary.spared(self.tally.epochs_saved)}", by_status[TrialStatus.PRUNED]
        for status in (TrialStatus.REJECTED, TrialStatus.FAILED, TrialStatus.REFUSED):
            yield status.value, by_status[status]

    def _left(self) -> list[str]:
        left = self.pace.left(self.total - self.done())
        return [] if left is None else [f"{duration(left)} left"]
