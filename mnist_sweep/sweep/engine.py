"""A sweep as it runs: it brings events to `decisions.Sweep` and does what that says."""

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError

from mnist_sweep.errors import LeaseLost, explain
from mnist_sweep.passwords import said_of
from mnist_sweep.sweep import decisions as do
from mnist_sweep.sweep import outcomes, summary
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.backend import Backend, Finished, Job
from mnist_sweep.sweep.callbacks import Callbacks, DataCheck, SweepCallback
from mnist_sweep.sweep.console import Console
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.given import Given
from mnist_sweep.sweep.launcher import PATIENCE
from mnist_sweep.sweep.opening import (
    Opened,
    check_given,
    choose_backend,
    open_sweep,
    read_search,
)
from mnist_sweep.sweep.storage import OUTAGE, Storage, open_storage, with_backoff
from mnist_sweep.sweep.summary import SummaryFile
from mnist_sweep.sweep.trial import PRUNED
from mnist_sweep.sweep.trial_queue import NoTrial
from mnist_sweep.text import one_line, relative

POLL = 1.0  # seconds between looks at what runs


def run_sweep(given: Given, arguments: list[str]) -> None:
    """Run a study to `n_trials` launched trials in all, and write its summary.

    Raises SweepError where the study cannot be resumed, where nothing passes the gate, and where
    too many trials fail. Exits with code 130 on Ctrl-C.
    """
    if given.task.resumes:
        raise SweepError("resume is for a single run: a sweep is resumed by its own command")
    made = _Made(given)
    try:
        try:
            _open_and_run(given, arguments, made)
        except BaseException:
            made.undo()
            raise
    except OSError as error:
        raise SweepError(explain(error, relative(given.directory))) from error
    except KeyboardInterrupt:
        print("interrupted: the same command resumes the study", file=sys.stderr)
        sys.exit(130)
    except OUTAGE as error:
        said = said_of(given.settings.storage, one_line(error))[:200]
        raise SweepError(
            f"the storage does not answer: {said}; when it does, the same command resumes the study"
        ) from error


def _open_and_run(given: Given, arguments: list[str], made: "_Made") -> None:
    check_given(given)
    search = read_search(given, arguments)
    backend = choose_backend(given)
    storage = open_storage(given.settings.storage)
    opened = open_sweep(given, search, backend, storage, made.note)
    summary_file = SummaryFile(opened.study, given.settings.storage, given.directory)
    callbacks = [DataCheck(opened.study), summary_file, Console(opened, given)]
    engine = Engine(given, opened, backend, callbacks)
    engine.run(made.holds_nothing)


class _Made:
    """What this call has made, to be removed where the sweep could not start."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.study: optuna.Study | None = None  # one that did not exist before
        self.storage: Storage | None = None

    def note(self, study: optuna.Study, storage: Storage) -> None:
        """Note a new study."""
        self.study, self.storage = study, storage

    def holds_nothing(self) -> bool:
        """Whether this call made the study, and none of its trials has begun or been judged."""
        if self.study is None or not studies.is_empty(self.study):
            return False
        trials = self.study.get_trials(deepcopy=False)
        if self.given.task.names_trials:
            return not any((self.given.directory / str(trial.number)).exists() for trial in trials)
        return not any(studies.was_launched(trial) for trial in trials)

    def undo(self) -> None:
        """Delete a study that holds nothing, and its directory."""
        if self.study is None or self.storage is None or not self.holds_nothing():
            return
        with suppress(*OUTAGE, KeyError):  # KeyError: another sweep of it failed as well
            optuna.delete_study(study_name=self.study.study_name, storage=self.storage.optuna)
        for folder in (self.given.directory / "workers", self.given.directory):
            with suppress(OSError):  # there is something in it
                folder.rmdir()


class Engine:
    """Runs an opened sweep on a backend, and tells `callbacks` what happens."""

    def __init__(
        self, given: Given, opened: Opened, backend: Backend, callbacks: Sequence[SweepCallback]
    ) -> None:
        settings = given.settings
        self.given, self.study, self.queue = given, opened.study, opened.queue
        self.records, self.candidates, self.total = opened.records, opened.candidates, opened.total
        self.backend = backend
        self.callbacks = Callbacks(callbacks)
        self.sweep = do.Sweep(
            do.Rules(
                opened.total,
                settings.max_failure_rate,
                settings.max_rejections,
                settings.max_retries,
                settings.timeout,
                settings.plateau,
            )
        )
        # Where trial N's run is in N; None where jobs are not told their trial.
        self.runs = given.directory if given.task.names_trials else None
        self.looked_at: set[int] = set()  # trials that have recorded what they run on
        self.began = False
        self.started, self.started_at = time.monotonic(), time.time()
        self.over = False

    def run(self, holds_nothing: Callable[[], bool]) -> None:
        """Run the sweep to its end; whatever ends it, what is left open is left to be resumed.

        Where the study then `holds_nothing`, the sweep did not start, and nothing is concluded.
        """
        try:
            self.backend.prepare(self.total - studies.finished(self.study))
            while not self.over:
                self._round()
        finally:
            self._close(holds_nothing)

    def _round(self) -> None:
        """Fill the free slots, wait for jobs, and tell the study how they ended."""
        while self.backend.free() and self._do(self._slot_free()):
            pass
        if not self.backend.running():
            self._do(do.Idle(self.queue.may_come_back()))
            if self.over:
                return
        for finished in self.backend.poll(POLL):
            self._do(self._event_of(finished))
        running = self.backend.running()
        self._look_at(running)
        self.callbacks.tell(lambda each: each.tick(running))

    def _close(self, holds_nothing: Callable[[], bool]) -> None:
        try:
            self.backend.stop(PATIENCE)
        except KeyboardInterrupt:  # a second one: whoever runs has had time enough
            self.backend.stop(0)
        self.queue.close()
        if holds_nothing():
            self.callbacks.tell(lambda each: each.ending())
        else:
            self.callbacks.tell(lambda each: each.ended())

    # From events to actions.

    def _do(self, event: do.Event) -> bool:
        """Take an event, and do what follows from it; return whether a job was started."""
        events, launched = deque([event]), False
        while events:
            for action in self.sweep.step(events.popleft()):
                following = self._perform(action)
                launched = launched or isinstance(action, do.Launch)
                if following is not None:
                    events.append(following)
        return launched

    def _perform(self, action: do.Action) -> do.Event | None:
        """Do what was decided; return the event that follows from it."""
        match action:
            case do.Ask():
                return self._ask()
            case do.Probe(rejections):
                self._probe(rejections)
            case do.Launch(number):
                self._launch(number)
            case do.Tell(trial):
                return self._tell(trial)
            case do.Retry(number, reason, deaths):
                self.queue.record_deaths(number, deaths)
                self.callbacks.tell(lambda each: each.retried(number, reason))
            case do.Requeue(number, deaths):
                if self.queue.requeue(number, deaths):
                    self.callbacks.tell(lambda each: each.requeued(number))
            case do.GiveUp(number, reason):
                if self.queue.give_up(number, reason):
                    self._say_ended(do.Returned(number, studies.FAILED, reason))
                    return do.Told(do.Returned(number, studies.FAILED, reason))
            case do.Forget(number):
                self.queue.forget(number)
                self.callbacks.tell(lambda each: each.lease_lost(number))
            case do.Stop(reason) | do.Say(reason):
                self.callbacks.tell(lambda each: each.stopped(reason))
            case do.Wait():
                self.callbacks.tell(lambda each: each.waiting())
            case do.End():
                self.over = True
            case do.Abort(message):
                raise SweepError(message)
            case do.NothingFits(rejections):
                raise SweepError(summary.nothing_fits(self.study, rejections))
        return None

    def _slot_free(self) -> do.SlotFree:
        for number, deaths in self.queue.abandoned():
            self._do(do.Abandoned(number, deaths))
        retryable = {n for n in self.sweep.retries if not self.queue.may_still_run(n)}
        return do.SlotFree(
            time.monotonic() - self.started,
            0 if self.given.settings.plateau is None else summary.trials_since_best(self.study),
            frozenset(retryable),
        )

    def _ask(self) -> do.Event:
        proposal = self.queue.next()
        if isinstance(proposal, NoTrial):
            launched, rejected = bool(studies.launched(self.study)), False
            if proposal.exhausted and not launched:
                rejected = bool(summary.rejections(self.study))
            return do.NoneLeft(proposal.exhausted, launched, rejected)
        if proposal.reason is None:
            return do.Proposed(proposal.number)
        if proposal.error:
            number, error = proposal.number, proposal.error
            self.callbacks.tell(lambda each: each.refused(number, error))
            return do.Refused(number, error)
        self.callbacks.tell(lambda each: each.rejected(proposal))
        return do.Rejected(bool(studies.launched(self.study)))

    def _probe(self, rejections: int) -> None:
        """Queue a configuration that passes the gate. Raises SweepError where none is found."""
        params, closest = self.candidates.probe(do.PROBES)
        if params is not None:
            self.study.enqueue_trial(params)
        elif closest is not None:
            raise SweepError(summary.nothing_fits(self.study, rejections, do.PROBES, closest))

    def _launch(self, number: int) -> None:
        self.looked_at.discard(number)
        self.callbacks.tell(lambda each: each.launched(number))
        self.backend.start(Job(number, self.queue.open[number].overrides))

    def _event_of(self, finished: Finished) -> do.Event:
        """Return what became of a job, its figures written to the study."""
        number, reason = finished.job.number, str(finished.reason)
        self.began = self.began or self._has_begun(finished)
        if finished.died or outcomes.lost_its_lease(finished):
            deaths = with_backoff(lambda: self.queue.count_death(number))
            return do.Died(number, reason, deaths, self.began)
        try:
            return with_backoff(lambda: self._returned(finished))
        except (LeaseLost, UpdateFinishedTrialError):
            return do.LeaseGone(number)

    def _returned(self, finished: Finished) -> do.Event:
        number = finished.job.number
        self.queue.check(number)
        directory = self._directory_of(finished)
        facts = self._record_figures(number, directory)
        pruned = self.records.read(number).system_attrs.get(PRUNED)
        try:
            values = outcomes.values(finished, len(self.study.directions))
        except outcomes.BadValue as error:
            if pruned is None:
                return do.Returned(number, studies.FAILED, str(error), counts=False)
            values = []
        except outcomes.JobFailed as error:
            cause = error.__cause__
            if cause is not None:
                self.callbacks.tell(lambda each: each.raised(cause))
            if directory:
                outcomes.record_failure(directory, str(error))
            return do.Returned(number, studies.FAILED, str(error))
        if pruned is not None:
            return do.Returned(number, studies.PRUNED, pruned)
        return do.Returned(number, studies.COMPLETE, facts.get("reason"), tuple(values))

    def _tell(self, trial: do.Returned) -> do.Event:
        values = list(trial.values) if trial.status == studies.COMPLETE else None
        try:
            with_backoff(lambda: self.queue.tell(trial.number, trial.status, trial.reason, values))
        except (LeaseLost, UpdateFinishedTrialError):
            return do.LeaseGone(trial.number)
        self._say_ended(trial)
        return do.Told(trial)

    def _say_ended(self, trial: do.Returned) -> None:
        number, reason = trial.number, str(trial.reason)

        def say(each: SweepCallback) -> None:
            if trial.status == studies.FAILED:
                each.failed(number, reason)
            elif trial.status == studies.PRUNED:
                each.pruned(number, reason)
            else:
                each.complete(number, trial.values)
            each.told()

        with_backoff(lambda: self.callbacks.tell(say))

    # What runs have recorded.

    def _look_at(self, running: Sequence[int]) -> None:
        """Tell what running trials run on. Raises SweepError where that is not the study's data."""
        if self.runs is None:
            return
        for number in set(running) - self.looked_at:
            directory = self.runs / str(number)
            facts = outcomes.recorded(directory)
            if facts.get("status") == "running":
                self.looked_at.add(number)
                figures = outcomes.figures(directory, facts)
                self.callbacks.tell(lambda each: each.recorded(facts, figures))  # noqa: B023

    def _record_figures(self, number: int, directory: Path | None) -> dict[str, Any]:
        """Write to the study what the run recorded, so that the study can be read on its own.

        Returns what it recorded.
        """
        facts = outcomes.recorded(directory) if directory else {}
        figures = outcomes.figures(directory, facts) if directory else {}
        if facts:
            self.callbacks.tell(lambda each: each.recorded(facts, figures))
        # What the sweep itself says; another application may have settings of the first names.
        sweeps = ("hydra.",) if self.runs is None else ("study=", "trial=", "search=", "hydra.")
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

    def _has_begun(self, finished: Finished) -> bool:
        """Whether some job has begun: it came back, wrote its config, or has a lease."""
        if not finished.died:
            return True
        config = self.given.directory / str(finished.job.number) / ".hydra" / "config.yaml"
        written = config.exists() and config.stat().st_mtime > self.started_at
        return written or not self.given.task.names_trials or self.queue.has_begun()
