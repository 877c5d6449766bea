"""Where a sweep's trials come from, and where they go back to: the study, shared with others."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from mnist_sweep.sweep import results, sampling
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.processes import JOB, SWEEP, SignsOfLife, Watch, is_this_process
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.proposals import Proposal, Proposer
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.text import counted

# Proposals in a row, of a study without a launched trial, that did not pass the gate: then as many
# configurations are drawn at random, to see whether the search space holds any that does.
HOPELESS, PROBES = 5, 300

# Proposals in a row, the first ones of a call, that are no valid run: a mistake, not bad luck.
MAX_REFUSALS = 5


class Taken(Exception):
    """Another sweep took this one for dead, and goes on with a trial of its."""


class Supply:
    """Gives out the trials of a study to `total` launched ones in all, each to one sweep only.

    `lock` gives the study's lock, under which `on_launch` is called when a trial is given out.
    `open` has those that this sweep was given and has not settled.
    """

    def __init__(
        self,
        study: optuna.Study,
        lock: Callable[[], AbstractContextManager[object]],
        proposer: Proposer,
        progress: Progress,
        settings: Settings,
        total: int,
        on_launch: Callable[[], None],
    ) -> None:
        self.study, self.lock, self.proposer, self.progress = study, lock, proposer, progress
        self.settings, self.total, self.on_launch = settings, total, on_launch
        self.signs = SignsOfLife(study._storage, SWEEP, settings.grace_period / 4)
        self.watch = Watch(settings.grace_period)
        self.sweeps = Watch(settings.grace_period, roles=(SWEEP,))
        self.jobs = Watch(settings.grace_period, roles=(JOB,))
        self.open: dict[int, Proposal] = {}
        self.failed = self.refused = 0
        self.launched_any = False

    def next(self) -> Proposal | None:
        """Propose until one passes the gate, and record it as launched; None when none is left.

        Raises SweepError after `max_rejections` rejections in a row, or too many failures.
        """
        rejected = refused = 0
        while True:
            # Whoever else sweeps this study waits: no trial is given out twice, none is too many.
            with self.lock():
                self._reclaim()
                proposal = self._ask()
            if proposal is None or proposal.reason is None:
                return proposal
            if proposal.error:
                refused += 1
                self._check_refusals(refused, proposal.error)
                self.refuse(proposal.trial.number, proposal.error)
                continue
            rejected += 1
            self.progress.rejected(proposal)
            if rejected >= self.settings.max_rejections:
                raise SweepError(results.nothing_fits(self.study, rejected))
            if rejected == HOPELESS and not studies.launched(self.study):
                self._probe(rejected)

    def _probe(self, rejected: int) -> None:
        """Queue a configuration that passes the gate. Raises SweepError where none is found."""
        params, closest = self.proposer.probe(PROBES)
        if params is not None:
            self.study.enqueue_trial(params)
        elif closest is not None:
            raise SweepError(results.nothing_fits(self.study, rejected, PROBES, closest))

    def _ask(self) -> Proposal | None:
        enough = studies.launched(self.study) >= self.total
        if (enough and self.total == self.settings.n_trials) or sampling.grid_is_exhausted(
            self.study
        ):
            return None
        if (enough or not studies.waiting(self.study)) and self.proposer.exhausted():
            self._say_exhausted()
            return None
        if enough:
            return None
        trial = self.study.ask()
        try:
            proposal = self.proposer.propose(trial)
            if proposal.reason is None:
                self.on_launch()
                self.signs.hold(trial._trial_id)
                self.open[trial.number] = proposal
                if self._recorded(proposal).system_attrs.get(JOB):  # a process that is gone
                    self.study._storage.set_trial_system_attr(trial._trial_id, JOB, None)
                self.launched_any = True
            else:
                status = studies.REFUSED if proposal.error else studies.REJECTED
                # The gate's reason is written already, with what else the gate found out.
                studies.end(self.study, proposal.trial, status, proposal.error)
        except BaseException:  # left running, it would repel the sampler for ever
            self.open.pop(trial.number, None)
            if not self.study._storage.get_trial(trial._trial_id).state.is_finished():
                studies.set_aside(self.study, trial._trial_id)
            raise
        return proposal

    def _reclaim(self) -> None:
        """Have trials wait to be gone on with whose processes have died."""
        for trial in studies.in_progress(self.study):
            if trial.number not in self.open and self.watch.alive(trial) is False:
                with suppress(UpdateFinishedTrialError):  # its sweep was alive after all
                    studies.set_aside(self.study, trial._trial_id)
                    self.progress.reclaimed(trial.number)

    def may_come_back(self) -> bool:
        """Whether another sweep's trial may yet be this one's to go on with.

        A job that outlives its sweep ends untold.
        """
        others = [t for t in studies.in_progress(self.study) if t.number not in self.open]
        return any(self.sweeps.alive(trial) is not True for trial in others)

    def has_begun(self) -> bool:
        """Whether the job of any open trial has got as far as its study."""
        return any(self._recorded(each).system_attrs.get(JOB) for each in self.open.values())

    def _recorded(self, proposal: Proposal) -> FrozenTrial:
        return self.study._storage.get_trial(proposal.trial._trial_id)

    def may_still_run(self, proposal: Proposal) -> bool:
        """Whether a job that its launcher has given up may be at work nevertheless."""
        trial = self._recorded(proposal)
        if is_this_process(trial.system_attrs.get(JOB) or {}):
            return False  # what ran here has come back
        return self.jobs.alive(trial) is not False

    def settle(
        self, proposal: Proposal, status: str, reason: str | None, values: list[float] | None = None
    ) -> None:
        """Tell the study what a trial came to. Raises Taken where it is not ours any more."""
        trial_id = proposal.trial._trial_id
        with self.lock():
            if self.signs.holds(trial_id):
                studies.end(self.study, proposal.trial, status, reason, values)
            elif not self.signs.has_ended(trial_id):  # by a try whose answer was lost
                raise Taken
        self.give_up(proposal)

    def give_up(self, proposal: Proposal) -> None:
        """Forget a trial that is settled, by this sweep or by another."""
        self.signs.release(proposal.trial._trial_id)
        self.open.pop(proposal.trial.number, None)

    def close(self) -> None:
        """Leave what is open to be gone on with, by this command or by another sweep.

        A job that its launcher cannot end, say on a cluster, keeps its trial until it has.
        """
        for proposal in list(self.open.values()):
            trial_id = proposal.trial._trial_id
            with self.lock():
                if self.signs.holds(trial_id) and not self.may_still_run(proposal):
                    studies.set_aside(self.study, trial_id)
            self.give_up(proposal)
        self.signs.close()

    def fail(self, number: int, reason: str) -> None:
        """Say that a trial failed. Raises SweepError where that is one too many."""
        self.failed += 1
        self.progress.failed(number, reason)
        self._check_failures(reason)

    def refuse(self, number: int, reason: str) -> None:
        """Say that a proposal is no valid run. Raises SweepError where that is one too many."""
        self.refused += 1
        self.progress.refused(number, reason)
        self._check_failures(reason)

    def _check_failures(self, reason: str) -> None:
        rate = self.settings.max_failure_rate
        if self.failed + self.refused <= rate * self.total:
            return
        counts = ((self.failed, "trial", "failed"), (self.refused, "proposal", "refused"))
        came = " and ".join(f"{counted(n, noun)} {word}" for n, noun, word in counts if n)
        raise SweepError(
            f"{came}, more than hydra.sweeper.max_failure_rate={rate:g} of {self.total} allows; "
            f"the last one: {reason}"
        )

    def _say_exhausted(self) -> None:
        """Say that every configuration was tried. Raises SweepError where none could be run."""
        if studies.launched(self.study):
            self.progress.over("every configuration of the search space has been tried")
        elif results.rejections(self.study):
            raise SweepError(results.nothing_fits(self.study))

    def _check_refusals(self, in_a_row: int, reason: str) -> None:
        if in_a_row >= MAX_REFUSALS and not self.launched_any:
            raise SweepError(
                f"the first {in_a_row} proposals are no valid runs; the last: {reason}"
            )
