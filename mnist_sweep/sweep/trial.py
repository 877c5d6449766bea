"""Inside a job: its trial in the study, reported to each epoch and asked whether to go on."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from optuna.trial import Trial, TrialState

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.address import address_of
from mnist_sweep.sweep.processes import JOB, SignsOfLife, is_alive, is_this_process
from mnist_sweep.sweep.pruning import build_pruner
from mnist_sweep.sweep.settings import GRACE_PERIOD
from mnist_sweep.sweep.storage import Storage, patiently, reopen

OURS = "mnist_sweep.sweep.sweeper.BudgetSweeper"
PRUNED = "mnist_sweep:pruned"  # a trial's system attribute: why its job stopped


class TakenOver(UserError):
    """A job's trial waits for another process, or is run by one."""


class Reporter:
    """A job's way to its trial, from whatever process it runs in."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        recorded = trial.storage.get_trial(trial._trial_id)
        self.reported = dict(recorded.intermediate_values)
        self.stopped: str | None = recorded.system_attrs.get(PRUNED)

    def report(self, value: float, step: int, may_stop: bool = True) -> str | None:
        """Report the objective after a step; return why the job should stop, or None.

        A job that has no step left to save is not stopped: say so by `may_stop`.
        A step that is in the study already, since a job goes on after an interruption, is left as
        it is there.
        """
        if step not in self.reported and math.isfinite(value):
            patiently(lambda: self.trial.report(value, step))
            self.reported[step] = value
            if may_stop and patiently(self.trial.should_prune):
                self._stop(
                    f"{type(self.trial.study.pruner).__name__} pruned it at {value:.5g} "
                    f"after epoch {step}"
                )
        return self.stopped

    def _stop(self, reason: str) -> None:
        """Leave word for the sweeper, and for a later process that goes on with the job."""
        self.stopped = reason
        storage, trial_id = self.trial.storage, self.trial._trial_id
        patiently(lambda: storage.set_trial_system_attr(trial_id, PRUNED, reason))


@contextmanager
def reporting(config: DictConfig) -> Iterator[Reporter | None]:
    """Yield the reporter of the job that runs, or None where there is nobody to report to.

    `config` names the study and the trial. A job of another sweeper, or of a study in its sweeper's
    memory, has no reporter; one with several objectives, which Optuna does not prune, neither.
    """
    sweeper: Any = HydraConfig.get().sweeper
    address = address_of(OmegaConf.select(sweeper, "storage"))
    if sweeper.get("_target_") != OURS or address is None or config.get("trial") is None:
        yield None
        return
    storage = patiently(lambda: reopen(address, HydraConfig.get().runtime.cwd))
    if not storage.shared:
        yield None
        return
    trial = patiently(lambda: _trial(config, storage, OmegaConf.select(sweeper, "pruner")))
    grace_period = OmegaConf.select(sweeper, "grace_period", default=GRACE_PERIOD)
    signs = SignsOfLife(trial.storage, JOB, grace_period / 4)
    try:
        patiently(lambda: _leave_to_others(trial))
        patiently(lambda: signs.hold(trial._trial_id))
        yield patiently(lambda: Reporter(trial)) if len(trial.study.directions) == 1 else None
    finally:
        signs.close()
        with suppress(Exception):  # the job is done, whatever becomes of its name
            signs.withdraw(trial._trial_id)


def _trial(config: DictConfig, storage: Storage, pruner: DictConfig | None) -> Trial:
    """Return the trial that a job's config names."""
    study = optuna.load_study(
        study_name=config.study,
        storage=storage.optuna,
        sampler=optuna.samplers.RandomSampler(),  # a job proposes nothing
        pruner=build_pruner(pruner),
    )
    find = study._storage.get_trial_id_from_study_id_trial_number
    return Trial(study, find(study._study_id, config.trial))


def _leave_to_others(trial: Trial) -> None:
    """Raise TakenOver where a job begins so late, say in a cluster's queue, that others have it."""
    recorded = trial.storage.get_trial(trial._trial_id)
    record = recorded.system_attrs.get(JOB)
    others = record and not is_this_process(record) and is_alive(record)
    if others or recorded.state == TrialState.WAITING:
        raise TakenOver(f"trial {trial.number} is not this job's any more; it is left alone")
