"""The queue of a study's trials, which all its sweeps share: no trial is given out twice."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.errors import LeaseLost
from mnist_sweep.sweep import sampling, study_store
from mnist_sweep.sweep.study_search import Claim
from mnist_sweep.sweep.trials.leases import (
    JOB,
    SWEEP,
    Heartbeat,
    Lease,
    LivenessMonitor,
    is_elsewhere,
    is_this_process,
)
from mnist_sweep.sweep.trials.proposals import Proposal, Proposer
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.retries import DEATHS, Deaths, after_another_death
from mnist_sweep.sweep.trials.status import TrialStatus, was_launched
from mnist_sweep.sweep.trials.tally import Tally


@dataclass(frozen=True)
class Limits:
    """The limits of a queue: `total` launched trials; `wanted`: what the user asked for.

    `total` is less where the space or the grid has fewer configurations; `points`: those of a grid.
    """

    total: int
    wanted: int
    points: int | None = None


@dataclass(frozen=True)
class NoTrial:
    """A queue without a trial to give out; `exhausted`: since the whole space is tried."""

    exhausted: bool = False


class TrialQueue:
    """A queue of the trials of a study, `limits.total` launched ones in all, each for one sweep.

    `tally` is the study's, renewed before a trial is given out. `lock` gives the study's lock,
    under which trials are given out, and the `claim` to the study's search is checked and made.
    `open` has those that this sweep was given and has not ended.
    """

    def __init__(
        self,
        records: TrialRecords,
        tally: Tally,
        lock: Callable[[], AbstractContextManager[object]],
        proposer: Proposer,
        limits: Limits,
        grace_period: float,
        claim: Claim,
    ) -> None:
        self.records, self.study, self.lock = records, records.study, lock
        self.tally = tally
        self.proposer, self.limits, self.claim = proposer, limits, claim
        self.heartbeat = Heartbeat(grace_period)
        self.owners = LivenessMonitor(grace_period)
        self.sweeps = LivenessMonitor(grace_period, roles=(SWEEP,))
        self.jobs = LivenessMonitor(grace_period, roles=(JOB,))
        self.open: dict[int, Proposal] = {}
        self.leases: dict[int, Lease] = {}
        self.gone: dict[int, str | None] = {}  # of a trial, its job's token that was counted dead

    def next(self) -> Proposal | NoTrial:
        """Return a proposal, recorded as launched where it passed the gate, or that none is left.

        Raises SweepError for a gate or a custom search space that does not work, and where another
        sweep has begun to search something else.
        """
        # Whoever else sweeps this study waits: no trial is given out twice, none is too many.
        with self.lock():
            self.claim.check()
            self.tally.renew()
            enough = self.tally.launched >= self.limits.total
            if enough and self.limits.total == self.limits.wanted:
                return NoTrial()
            if sampling.grid_is_exhausted(self.tally, self.limits.points):
                return NoTrial()
            # The total of a small space is what it had left when this sweep began.
            if (enough or not self.tally.waiting) and self.proposer.exhausted():
                return NoTrial(exhausted=True)
            return NoTrial() if enough else self._ask()

    def _ask(self) -> Proposal:
        trial = self.study.ask()
        try:
            proposal = self.proposer.propose(trial)
            if proposal.reason is None:
                self._give_out(proposal)
            else:
                status = TrialStatus.REFUSED if proposal.error else TrialStatus.REJECTED
                # The gate's reason is recorded already, with what else the gate found.
                study_store.tell_end(self.study, trial, status, proposal.error)
        except BaseException:  # left running, it would repel the sampler for ever
            self.forget(trial.number)
            if not self.records.read(trial.number).state.is_finished():
                self._wait(trial.number)
            raise
        return proposal

    def _give_out(self, proposal: Proposal) -> None:
        number = proposal.number
        self.claim.record()
        lease = Lease(self.records, number, SWEEP)
        self.heartbeat.acquire(lease)
        self.open[number], self.leases[number] = proposal, lease
        known = self.tally.trials[number : number + 1]  # none where it is new
        if any(trial.system_attrs.get(JOB) for trial in known):  # of a process that is gone
            self.records.mark(number, JOB, None)

    def _wait(self, number: int) -> None:
        """Have a running trial wait, as what it is: with its parameters, directory and reports."""
        if was_launched(self.records.read(number)):
            self.records.describe(number, "status", TrialStatus.INTERRUPTED)
        self.records.wait(number)

    def abandoned(self) -> Iterator[tuple[int, Deaths]]:
        """Yield running trials whose owners have died, each with that death counted.

        As the tally has them: `requeue` and `give_up` look again.
        """
        for trial in self.tally.running:
            if trial.number not in self.open and self._is_abandoned(trial):
                launched = was_launched(trial)
                yield trial.number, after_another_death(trial) if launched else Deaths()

    def requeue(self, number: int, deaths: Deaths) -> bool:
        """Have an abandoned trial wait; return False where it is abandoned no more."""
        with self.lock():
            if not self._is_abandoned(self.records.read(number)):
                return False
            try:
                if deaths.count:
                    self.records.mark(number, DEATHS, asdict(deaths))
                self._wait(number)
            except UpdateFinishedTrialError:
                return False
        return True

    def give_up(self, number: int, reason: str) -> bool:
        """End an abandoned trial as failed; return False where it is abandoned no more."""
        with self.lock():
            if not self._is_abandoned(self.records.read(number)):
                return False
            try:
                trial = self.records.trial(number)
                study_store.tell_end(self.study, trial, TrialStatus.FAILED, reason)
            except UpdateFinishedTrialError:
                return False
        return True

    def _is_abandoned(self, trial: FrozenTrial) -> bool:
        """Whether a trial runs still, and its owner turned out not to be alive."""
        return trial.state == TrialState.RUNNING and self.owners.alive(trial) is False

    def may_come_back(self) -> bool:
        """Whether another sweep's trial may yet be this one's to run.

        A job that outlives its sweep ends untold.
        """
        others = [trial for trial in self.tally.running if trial.number not in self.open]
        return any(self.sweeps.alive(trial) is not True for trial in others)

    def has_begun(self) -> bool:
        """Whether the job of any open trial has come as far as its study."""
        return any(self.records.read(number).system_attrs.get(JOB) for number in self.open)

    def count_death(self, number: int) -> Deaths:
        """Return an open trial's deaths, with the one that has just happened."""
        trial = self.records.read(number)
        self.gone[number] = _job_of(trial).get("token")
        return after_another_death(trial)

    def record_deaths(self, number: int, deaths: Deaths) -> None:
        """Record how often an open trial's process has died."""
        if self.leases[number].held():
            self.records.mark(number, DEATHS, asdict(deaths))

    def silent(self, numbers: Iterable[int]) -> list[int]:
        """Return those open trials whose job, on another machine, looks dead.

        As the tally has them, which was renewed just now. A job that waits for a place is not
        silent, nor one whose death was counted: the next try has not begun yet.
        """
        return [number for number in numbers if self._is_silent(self.tally.trials[number])]

    def _is_silent(self, trial: FrozenTrial) -> bool:
        job = _job_of(trial)
        begun = bool(job) and job.get("token") != self.gone.get(trial.number)
        return begun and is_elsewhere(job) and self.jobs.alive(trial) is False

    def may_still_run(self, number: int) -> bool:
        """Whether a job that its backend has given up may be at work nevertheless."""
        trial = self.records.read(number)
        if is_this_process(_job_of(trial)):
            return False  # what ran here has come back
        return self.jobs.alive(trial) is not False

    def tell(
        self,
        number: int,
        status: TrialStatus,
        reason: str | None,
        values: list[float] | None = None,
    ) -> None:
        """End an open trial in the study. Raises LeaseLost where another sweep has it."""
        lease = self.leases[number]
        with self.lock():
            if lease.held():
                study_store.tell_end(self.study, self.open[number].trial, status, reason, values)
            elif not lease.ended():  # by a try whose answer was lost
                raise LeaseLost(f"trial {number} belongs to another sweep")
        self.forget(number)

    def holds(self, number: int) -> bool:
        """Whether an open trial still runs under this sweep's lease."""
        return self.leases[number].held()

    def check(self, number: int) -> None:
        """Raise LeaseLost where another sweep has an open trial."""
        lease = self.leases[number]
        if not lease.held() and not lease.ended():
            raise LeaseLost(f"trial {number} belongs to another sweep")

    def put_back(self, number: int) -> None:
        """Have an open trial wait that no job was started for."""
        with self.lock():
            if self.leases[number].held():
                self._wait(number)
        self.forget(number)

    def forget(self, number: int) -> None:
        """Leave a trial that has ended, or that another sweep has."""
        self.heartbeat.forget(number)
        self.open.pop(number, None)
        self.leases.pop(number, None)

    def close(self) -> None:
        """Leave what is open to be resumed, by the same command or by another sweep.

        A job that its backend cannot end, say on a cluster, keeps its trial until it has ended.
        """
        for number in list(self.open):
            with self.lock():
                if self.leases[number].held() and not self.may_still_run(number):
                    self._wait(number)
            self.forget(number)
        self.heartbeat.close()


def _job_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the record of the process that runs a trial's job; empty where there is none."""
    return trial.system_attrs.get(JOB) or {}
