"""A sweep as it runs: it brings events to `decisions.Sweep` and does what that says."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from optuna.exceptions import UpdateFinishedTrialError

from mnist_sweep.cli.interruption import raise_swallowed
from mnist_sweep.errors import LeaseLost
from mnist_sweep.sweep import events as on
from mnist_sweep.sweep import summary
from mnist_sweep.sweep.callbacks import Callbacks, SweepCallback
from mnist_sweep.sweep.decisions import RANDOM_DRAWS, Rules, Sweep
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.jobs.backend import Backend, Finished, Job
from mnist_sweep.sweep.launcher import PATIENCE
from mnist_sweep.sweep.opening import Opened
from mnist_sweep.sweep.run_reader import RunReader
from mnist_sweep.sweep.storage import OUTAGE, OUTAGE_SECONDS, with_backoff
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.proposals import Proposal
from mnist_sweep.sweep.trials.queue import NoTrial
from mnist_sweep.sweep.trials.status import TrialStatus

POLL = 1.0  # seconds between looks at what runs


class Engine:
    """The loop of an opened sweep on a backend; it tells `callbacks` what happens."""

    def __init__(
        self, given: Given, opened: Opened, backend: Backend, callbacks: Sequence[SweepCallback]
    ) -> None:
        settings = given.settings
        self.given, self.study, self.queue = given, opened.study, opened.queue
        self.tally = opened.tally
        self.gated_space, self.total = opened.gated_space, opened.total
        self.backend = backend
        self.callbacks = Callbacks(callbacks)
        self.sweep = Sweep(
            Rules(
                opened.total,
                settings.max_failure_rate,
                settings.max_rejections,
                settings.max_retries,
                settings.timeout,
                settings.plateau,
                settings.target,
                minimize=settings.directions == ["minimize"],
                grid=opened.queue.limits.points is not None,
            )
        )
        runs = given.directory if given.task.names_trials else None
        self.reader = RunReader(opened.queue, self.callbacks, runs)
        self.died: dict[int, Finished] = {}  # jobs whose process died, until that is decided on
        self.began = False
        self.started, self.started_at = time.monotonic(), time.time()
        self.over = False

    def run(self, holds_nothing: Callable[[], bool]) -> None:
        """Run the sweep to its end; whatever ends it, what is left open is left to be resumed.

        Where the study then `holds_nothing`, the sweep did not start, and nothing is concluded.
        """
        try:
            self.backend.prepare(self.total - self.tally.finished)
            while not self.over:
                raise_swallowed()
                self._round()
        except BaseException:
            self._close(holds_nothing, seconds=0)  # whoever ends it does not wait for a storage
            raise
        self._close(holds_nothing)

    def _round(self) -> None:
        """Fill the free slots, wait for jobs, and tell the study how they ended."""
        while self.backend.free() and self._do(with_backoff(self._slot_free)):
            pass
        if not self.backend.running():
            self._do(on.Idle(with_backoff(self.queue.may_come_back)))
            if self.over:
                return
        came_back = self.backend.poll(POLL)
        if not came_back and self._renewed():  # else the study is read as each is told
            came_back = self._not_heard_of()
        ends: list[SweepError] = []
        for finished in came_back:
            try:
                self._do(self._event_of(finished))
            except SweepError as error:  # the results that came back with it are told first
                ends.append(error)
        if ends:
            raise ends[0]
        running = self.backend.running()
        self.reader.look_at(running)
        self.callbacks.tell(lambda each: each.tick(running))

    def _renewed(self) -> bool:
        """Read the study anew; False where the storage does not answer, as it may the next time."""
        try:
            self.tally.renew()
        except OUTAGE:
            return False
        return True

    def _not_heard_of(self) -> list[Finished]:
        """Give up the jobs of other machines whose leases have not been renewed for too long."""
        reason = f"nothing was heard of it for {self.given.settings.grace_period:g} s"
        silent = self.queue.silent(self.backend.running())
        given_up = [self.backend.give_up(number, reason) for number in silent]
        return [finished for finished in given_up if finished is not None]

    def _close(self, holds_nothing: Callable[[], bool], seconds: float = OUTAGE_SECONDS) -> None:
        try:
            self.backend.stop(PATIENCE)
        except KeyboardInterrupt:  # a second one: the jobs have had time enough
            self.backend.stop(0)
        self.queue.close()
        with_backoff(self.tally.renew, seconds)
        if with_backoff(holds_nothing, seconds):
            self.callbacks.tell(lambda each: each.ending(), seconds)
        else:
            self.callbacks.tell(lambda each: each.ended(), seconds)

    # From events to actions.

    def _do(self, event: on.Event) -> bool:
        """Take an event, and do what follows from it; return whether a job was started."""
        events, launched = deque([event]), False
        while events:
            for action in self.sweep.step(events.popleft()):
                following = self._perform(action)
                launched = launched or isinstance(action, on.Launch)
                if following is not None:
                    events.append(following)
        return launched

    def _perform(self, action: on.Action) -> on.Event | None:
        """Do what was decided; return the event that follows from it."""
        match action:
            case on.Ask():
                return self._ask()
            case on.FindFeasible(rejections):
                self._find_feasible(rejections)
            case on.Launch(number):
                self._launch(number)
            case on.Tell(trial):
                return self._tell(trial)
            case on.Retry(number, reason, deaths):
                del self.died[number]
                with_backoff(lambda: self.queue.record_deaths(number, deaths))
                self.callbacks.tell(lambda each: each.retried(number, reason))
            case on.Requeue(number, deaths):
                if with_backoff(lambda: self.queue.requeue(number, deaths)):
                    self.callbacks.tell(lambda each: each.requeued(number))
            case on.GiveUp(number, reason):
                return self._give_up(on.Returned(number, TrialStatus.FAILED, reason))
            case on.Forget(number):
                self.queue.forget(number)
                self.callbacks.tell(lambda each: each.lease_lost(number))
            case on.Stop(reason):
                self.callbacks.tell(lambda each: each.stopped(reason))
            case on.Wait():
                self.callbacks.tell(lambda each: each.waiting())
            case on.End():
                self.over = True
            case on.Abort(message):
                raise SweepError(message)
            case on.NothingFits(rejections):
                self.tally.renew()
                raise SweepError(summary.nothing_fits(self.tally, rejections))
        return None

    def _slot_free(self) -> on.SlotFree:
        for number, deaths in self.queue.abandoned():
            self._do(on.Abandoned(number, deaths))
        retryable = {n for n in self.sweep.retries if not self.queue.may_still_run(n)}
        return on.SlotFree(
            time.monotonic() - self.started,
            self.tally.since_best,
            self.tally.best_value,
            frozenset(retryable),
        )

    def _ask(self) -> on.Event:
        before = set(self.queue.open)

        def ask() -> Proposal | NoTrial:
            for number in set(self.queue.open) - before:  # of a try whose answer was lost
                self.queue.put_back(number)
            return self.queue.next()

        proposal = with_backoff(ask)
        if isinstance(proposal, NoTrial):
            if not proposal.exhausted:
                return on.NoneLeft()
            rejected = self.tally.counts[TrialStatus.REJECTED]
            return on.NoneLeft(True, bool(self.tally.launched), bool(rejected))
        if proposal.reason is None:
            return on.Proposed(proposal.number)
        if proposal.error:
            number, error = proposal.number, proposal.error
            self.callbacks.tell(lambda each: each.refused(number, error))
            return on.Refused(number, error)
        self.callbacks.tell(lambda each: each.rejected(proposal))
        return on.Rejected(bool(self.tally.launched))

    def _find_feasible(self, rejections: int) -> None:
        """Queue a configuration that passes the gate. Raises SweepError where none is found."""
        params, closest = self.gated_space.find_feasible(RANDOM_DRAWS)
        if params is not None:
            with_backoff(lambda: self.study.enqueue_trial(params, skip_if_exists=True))
        elif closest is not None:
            self.tally.renew()
            raise SweepError(summary.nothing_fits(self.tally, rejections, RANDOM_DRAWS, closest))

    def _launch(self, number: int) -> None:
        self.reader.launched(number)
        self.callbacks.tell(lambda each: each.launched(number))
        lease = self.given.task.lease_overrides(self.queue.leases[number].token)
        self.backend.start(Job(number, self.queue.open[number].overrides + lease))

    def _event_of(self, finished: Finished) -> on.Event:
        """Return what became of a job, its figures written to the study."""
        number = finished.job.number
        reason = finished.reason or "its job lost its lease"
        removed = self.reader.was_removed(finished)
        if removed:
            reason = "its run directory was removed while it ran"
        self.began = self.began or self._has_begun(finished)
        refused = outcomes.refused_by_machine(finished)
        if refused is not None:
            return on.MachineFailed(number, refused)
        if finished.died or removed or outcomes.lost_its_lease(finished):
            if not with_backoff(lambda: self.queue.holds(number)):
                return on.LeaseLost(number)
            self.died[number] = replace(finished, reason=reason)
            deaths = with_backoff(lambda: self.queue.count_death(number))
            return on.Died(number, reason, deaths, self.began)
        try:
            return with_backoff(lambda: self.reader.returned(finished))
        except (LeaseLost, UpdateFinishedTrialError):
            return on.LeaseLost(number)

    def _give_up(self, trial: on.Returned) -> on.Event | None:
        """End a trial that no process of this sweep ran; None where its owner lives after all."""
        if not with_backoff(lambda: self.queue.give_up(trial.number, str(trial.reason))):
            return None
        self.reader.give_up(trial.number, str(trial.reason))
        self._say_ended(trial)
        return on.Told(trial)

    def _tell(self, trial: on.Returned) -> on.Event:
        values = list(trial.values) if trial.status == TrialStatus.COMPLETE else None
        died = self.died.pop(trial.number, None)
        try:
            if died is not None:
                with_backoff(lambda: self.reader.record_death(died))
            with_backoff(lambda: self.queue.tell(trial.number, trial.status, trial.reason, values))
        except (LeaseLost, UpdateFinishedTrialError):
            return on.LeaseLost(trial.number)
        self._say_ended(trial)
        return on.Told(trial)

    def _say_ended(self, trial: on.Returned) -> None:
        number, reason = trial.number, str(trial.reason)
        with_backoff(self.tally.renew)

        def say(each: SweepCallback) -> None:
            if trial.status == TrialStatus.FAILED:
                each.failed(number, reason)
            elif trial.status == TrialStatus.PRUNED:
                each.pruned(number, reason)
            else:
                each.complete(number, trial.values)
            each.told()

        self.callbacks.tell(say)

    def _has_begun(self, finished: Finished) -> bool:
        """Whether some job has begun: it came back, wrote its config, or has a lease."""
        if not finished.died:
            return True
        config = self.given.directory / str(finished.job.number) / ".hydra" / "config.yaml"
        written = config.exists() and config.stat().st_mtime > self.started_at
        if written or not self.given.task.names_trials:
            return True
        return with_backoff(self.queue.has_begun)
