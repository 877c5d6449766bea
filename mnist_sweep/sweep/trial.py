"""Inside a job: its trial in the study, to report to each epoch and to be pruned by."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from mnist_sweep.errors import LeaseLost, MachineError
from mnist_sweep.sweep.pruning import build_pruner, with_settings
from mnist_sweep.sweep.settings import GRACE_PERIOD
from mnist_sweep.sweep.storage import OUTAGE, Storage, cause_of, reopen, with_backoff
from mnist_sweep.sweep.storage_address import address_of
from mnist_sweep.sweep.study_store import PRUNER
from mnist_sweep.sweep.trials.leases import (
    JOB,
    Heartbeat,
    Lease,
    is_alive,
    is_this_process,
    token_of,
)
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.retries import REACHED
from mnist_sweep.text import one_line

log = logging.getLogger("mnist_sweep")

T = TypeVar("T")

SWEEPER = "mnist_sweep.sweep.sweeper.BudgetSweeper"
STOP_REASON = "mnist_sweep:pruned"  # a trial's system attribute: why its job stopped


class Reporter:
    """A job's way to its trial, from whatever process it runs in.

    The job has a lease on the trial, `under` the sweep's by its token (the present one if None).
    Another sweep may take the trial where this process was stopped or cut off for longer than the
    grace period. Then `report` and `check` raise LeaseLost.
    """

    def __init__(
        self, records: TrialRecords, number: int, heartbeat: Heartbeat, under: str | None = None
    ) -> None:
        self.records, self.number, self.heartbeat = records, number, heartbeat
        recorded = records.read(number)
        under = token_of(recorded) if under is None else under
        self.lease = Lease(records, number, JOB, under)
        self.trial = records.trial(number)
        self.reported = dict(recorded.intermediate_values)
        self.stopped: str | None = recorded.system_attrs.get(STOP_REASON)

    @property
    def lost(self) -> bool:
        """Whether the heartbeat has found the lease to be gone; costs no look at the storage."""
        return self.number in self.heartbeat.lost

    def check(self) -> None:
        """Raise LeaseLost where another process has taken over the trial."""
        if not _reach(self.lease.held):
            raise LeaseLost(_taken_over(self.number))

    def report(self, value: float, step: int, may_stop: bool = True) -> str | None:
        """Report the objective after a step; return why the job should stop, or None.

        A job that has no step left to save is not stopped: say so by `may_stop`. A step that is in
        the study already, since the job was resumed, is left as it is there. One objective of
        several is not reported, since Optuna prunes for a single one. Raises LeaseLost.
        """
        self.check()
        several = len(self.records.study.directions) > 1
        if not several and step not in self.reported and math.isfinite(value):
            _reach(lambda: self.trial.report(value, step))
            self.reported[step] = value
            if may_stop and _reach(self.trial.should_prune):
                self._stop(
                    f"{type(self.trial.study.pruner).__name__} pruned it at {value:.5g} "
                    f"after epoch {step}"
                )
        return self.stopped

    def reached(self, step: int) -> None:
        """Record that a step is done, where its objective is not reported; see `retries`.

        Raises LeaseLost.
        """
        self.check()
        _reach(lambda: self.records.mark(self.number, REACHED, step))

    def _stop(self, reason: str) -> None:
        """Leave word for the sweep, and for a later process that resumes the job."""
        self.stopped = reason
        _reach(lambda: self.records.mark(self.number, STOP_REASON, reason))


@contextmanager
def reporting(config: DictConfig) -> Iterator[Reporter | None]:
    """Yield the reporter of the job that runs, or None where there is nobody to report to.

    `config` names the study and the trial. A job of another sweeper, or of a study in its sweeper's
    memory, has no reporter. Raises LeaseLost where another process runs the trial, or is to.
    """
    sweeper: Any = HydraConfig.get().sweeper
    address = address_of(OmegaConf.select(sweeper, "storage"))
    if sweeper.get("_target_") != SWEEPER or address is None or config.get("trial") is None:
        yield None
        return
    storage = _reach(lambda: reopen(address, HydraConfig.get().runtime.cwd))
    if not storage.shared:
        yield None
        return
    pruner = OmegaConf.select(sweeper, "pruner")
    records = _reach(lambda: _records(config.study, storage, pruner))
    grace_period = OmegaConf.select(sweeper, "grace_period", default=GRACE_PERIOD)
    heartbeat = Heartbeat(grace_period)
    reporter: Reporter | None = None
    try:
        under = _reach(lambda: _sweeps_token(records, config))
        reporter = _reach(lambda: Reporter(records, config.trial, heartbeat, under))
        lease = reporter.lease
        _reach(lambda: heartbeat.acquire(lease))
        yield reporter
    except LeaseLost as error:
        log.warning("%s", error)
        raise
    finally:
        heartbeat.close()
        if reporter is not None:
            with suppress(Exception):  # the job is done, whatever becomes of its lease
                reporter.lease.release()


def _reach(call: Callable[[], T]) -> T:
    """Do what needs the storage. Raises MachineError where it does not answer for a minute."""
    try:
        return with_backoff(call)
    except OUTAGE as error:
        said = one_line(cause_of(error))[:200]
        raise MachineError(f"the storage does not answer its job: {said}") from error


def _records(study_name: str, storage: Storage, pruner: DictConfig | None) -> TrialRecords:
    study = optuna.load_study(
        study_name=study_name,
        storage=storage.optuna,
        sampler=optuna.samplers.RandomSampler(),  # a job proposes nothing
    )
    study.pruner = build_pruner(with_settings(pruner, study.user_attrs.get(PRUNER)))
    return TrialRecords(study, storage.optuna)


def _sweeps_token(records: TrialRecords, config: DictConfig) -> str:
    """Return the token of the sweep's lease that a job is under.

    Raises LeaseLost where the job begins so late, say in a cluster's queue, that others have the
    trial. The config says which lease it was launched under; another application's may not.
    """
    recorded = records.read(config.trial)
    record = recorded.system_attrs.get(JOB)
    found = token_of(recorded)
    others = record and not is_this_process(record) and is_alive(record)
    given = config.get("lease")
    if others or recorded.state != TrialState.RUNNING or given not in (None, found):
        raise LeaseLost(_taken_over(config.trial))
    return found


def _taken_over(number: int) -> str:
    return (
        f"trial {number} was taken over by another process: this job stops and writes nothing more"
    )
