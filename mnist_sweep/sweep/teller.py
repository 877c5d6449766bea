"""What became of the launched trials, written into the study as they run and as they end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError

from mnist_sweep.sweep import outcome
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.dispatch import Finished
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.proposals import Proposal
from mnist_sweep.sweep.storage import patiently
from mnist_sweep.sweep.supply import Supply, Taken
from mnist_sweep.sweep.trial import PRUNED


@dataclass(frozen=True)
class End:
    """What a trial came to: its status, why, and its objectives where it is complete.

    `counts`: whether a failure is one of those that `max_failure_rate` limits.
    """

    status: str
    reason: str | None
    values: list[float] | None = None
    counts: bool = True


class Teller:
    """Tells a study of its trials.

    `runs` is the directory where trial N's run is in N; None where jobs are not told their trial,
    and only a job that returned can say where it ran.
    """

    def __init__(
        self, study: optuna.Study, supply: Supply, progress: Progress, runs: Path | None
    ) -> None:
        self.study, self.supply, self.progress, self.runs = study, supply, progress, runs
        self.looked_at: set[int] = set()  # trials that have said what they run on

    def begins(self, number: int) -> None:
        """Know that a trial is started, for the first time or again."""
        self.looked_at.discard(number)

    def look_at(self, running: Sequence[int]) -> None:
        """Say what running trials run on. Raises SweepError where that is not the study's data."""
        if self.runs is None:
            return
        for number in set(running) - self.looked_at:
            directory = self.runs / str(number)
            facts = outcome.recorded(directory)
            if facts.get("status") == "running":
                self.looked_at.add(number)
                self._check_data(facts, outcome.figures(directory, facts))

    def tell(self, proposal: Proposal, finished: Finished) -> None:
        """Write down a trial's figures and end it as complete, pruned or failed.

        Raises SweepError for a failure too many, and for a run on other data than the study's.
        """
        try:
            end = patiently(lambda: self._come_to(proposal, finished))
            patiently(lambda: self.supply.settle(proposal, end.status, end.reason, end.values))
        except (Taken, UpdateFinishedTrialError):  # another sweep took this one for dead
            self.supply.give_up(proposal)
            self.progress.taken(proposal.trial.number)
            return
        number = proposal.trial.number
        if end.status == studies.FAILED and end.counts:
            self.supply.fail(number, str(end.reason))
        elif end.status == studies.FAILED:
            self.progress.failed(number, str(end.reason))
        elif end.status == studies.PRUNED:
            patiently(lambda: self.progress.pruned(number, str(end.reason)))
        else:
            patiently(lambda: self.progress.complete(number, end.values or []))

    def _come_to(self, proposal: Proposal, finished: Finished) -> End:
        """Write down a trial's figures, and return what it came to."""
        directory = self._directory_of(finished)
        facts = self._record_figures(proposal, directory)
        stopped = self.study._storage.get_trial(proposal.trial._trial_id).system_attrs.get(PRUNED)
        try:
            values = outcome.values(finished, len(self.study.directions))
        except outcome.BadValue as error:
            if stopped is None:
                return End(studies.FAILED, str(error), counts=False)
            values = []
        except outcome.JobFailed as error:
            if error.__cause__ is not None:
                self.progress.raised(error.__cause__)
            if directory:
                outcome.record_failure(directory, str(error))
            return End(studies.FAILED, str(error))
        if stopped is not None:
            return End(studies.PRUNED, stopped)
        return End(studies.COMPLETE, facts.get("reason"), values)

    def _directory_of(self, finished: Finished) -> Path | None:
        """Return where a job ran, also when it could not say so."""
        directory = outcome.directory_of(finished.returned) if finished.returned else None
        if directory is None and self.runs is not None:
            return self.runs / str(finished.job.number)
        return directory

    def _record_figures(self, proposal: Proposal, directory: Path | None) -> dict[str, Any]:
        """Write to the study what the run recorded, so that the study can be read on its own.

        Returns what it recorded.
        """
        facts = outcome.recorded(directory) if directory else {}
        figures = outcome.figures(directory, facts) if directory else {}
        self._check_data(facts, figures)
        # What the sweep itself says; another application may have settings of the first names.
        sweeps = ("hydra.",) if self.runs is None else ("study=", "trial=", "search=", "hydra.")
        figures["overrides"] = [o for o in proposal.overrides if not o.startswith(sweeps)]
        for name, value in figures.items():
            proposal.trial.set_user_attr(name, value)
        return facts

    def _check_data(self, facts: dict[str, Any], figures: dict[str, Any]) -> None:
        """Say what a run is on. Raises SweepError where that is not the study's data."""
        if facts:
            self.progress.runs_on(facts)
            studies.check_data(self.study, figures)
