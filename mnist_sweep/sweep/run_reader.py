"""What runs have recorded in their directories, carried into the study and told to callbacks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_sweep.sweep.callbacks import Callbacks
from mnist_sweep.sweep.events import Returned
from mnist_sweep.sweep.jobs.backend import Finished, error_of
from mnist_sweep.sweep.trial import STOP_REASON
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.queue import TrialQueue
from mnist_sweep.sweep.trials.status import TrialStatus

# How the overrides begin that the sweep itself gives to a job of ours.
OF_THE_SWEEP = ("study=", "trial=", "lease=", "search=", "hydra.")


class RunReader:
    """A reader of the runs of a sweep's trials.

    `runs` is the directory where trial N's run is in N; None where jobs are not told their trial,
    and only a job that returned can say where it ran.
    """

    def __init__(self, queue: TrialQueue, callbacks: Callbacks, runs: Path | None) -> None:
        self.queue, self.callbacks, self.runs = queue, callbacks, runs
        self.records, self.study = queue.records, queue.study
        self.looked_at: set[int] = set()  # trials that have recorded what they run on

    def launched(self, number: int) -> None:
        """Know that a trial is launched, for the first time or again."""
        self.looked_at.discard(number)

    def returned(self, finished: Finished) -> Returned:
        """Return how a job's trial ended, its figures written to the study.

        Raises LeaseLost where the trial is another sweep's, and SweepError for other data than the
        study's.
        """
        number = finished.job.number
        self.queue.check(number)
        directory = self._directory_of(finished)
        facts = self._record_figures(number, directory)
        pruned = self.records.read(number).system_attrs.get(STOP_REASON)
        try:
            values = outcomes.values(finished, len(self.study.directions))
        except outcomes.BadValue as error:
            if pruned is None:
                return Returned(number, TrialStatus.FAILED, str(error), counts=False)
            values = []
        except outcomes.JobFailed as error:
            cause = error.__cause__
            if cause is not None:
                self.callbacks.tell(lambda each: each.raised(cause))
            if directory:
                outcomes.record_failure(directory, str(error))
            return Returned(number, TrialStatus.FAILED, str(error))
        if pruned is not None:
            return Returned(number, TrialStatus.PRUNED, pruned)
        return Returned(number, TrialStatus.COMPLETE, facts.get("reason"), tuple(values))

    def was_removed(self, finished: Finished) -> bool:
        """Whether a job failed since somebody has removed the directory that it wrote to."""
        error = None if finished.returned is None else error_of(finished.returned)
        if self.runs is None or not isinstance(error, FileNotFoundError):
            return False
        return not (self.runs / str(finished.job.number)).exists()

    def record_death(self, finished: Finished) -> None:
        """Record what a job had done, and why it came no further, which it could not say itself."""
        number, directory = finished.job.number, self._directory_of(finished)
        self.queue.check(number)
        self._record_figures(number, directory)
        if directory:
            outcomes.record_failure(directory, str(finished.reason))

    def give_up(self, number: int, reason: str) -> None:
        """Record why a run came no further whose process nobody of this sweep has seen."""
        if self.runs is not None:
            outcomes.record_failure(self.runs / str(number), reason)

    def look_at(self, running: Sequence[int]) -> None:
        """Tell what running trials run on. Raises SweepError where that is not the study's data."""
        if self.runs is None:
            return
        for number in set(running) - self.looked_at:
            directory = self.runs / str(number)
            facts = outcomes.recorded(directory)
            if facts.get("status") == "running":
                figures = outcomes.figures(directory, facts)
                self.callbacks.tell(lambda each: each.recorded(facts, figures))  # noqa: B023
                self.looked_at.add(number)

    def _record_figures(self, number: int, directory: Path | None) -> dict[str, Any]:
        """Write to the study what the run recorded, so that the study can be read on its own.

        Returns what it recorded.
        """
        facts = outcomes.recorded(directory) if directory else {}
        figures = outcomes.figures(directory, facts) if directory else {}
        if facts:
            self.callbacks.tell(lambda each: each.recorded(facts, figures))
        # Another application may have settings of the names that ours are told by.
        sweeps = ("hydra.",) if self.runs is None else OF_THE_SWEEP
        overrides = self.queue.open[number].overrides
        figures["overrides"] = [line for line in overrides if not line.startswith(sweeps)]
        for name, value in figures.items():
            self.records.describe(number, name, value)
        return facts

    def _directory_of(self, finished: Finished) -> Path | None:
        """Return where a job ran, also when it could not say so."""
        directory = outcomes.directory_of(finished.returned) if finished.returned else None
        if directory is None and self.runs is not None:
            return self.runs / str(finished.job.number)
        return directory
