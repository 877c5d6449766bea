"""Inside a job: its trial in the study, reported to each epoch and asked whether to go on."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from optuna.trial import Trial

from mnist_sweep.sweep.processes import JOB, SignsOfLife
from mnist_sweep.sweep.pruning import build_pruner
from mnist_sweep.sweep.settings import GRACE_PERIOD
from mnist_sweep.sweep.storage import patiently, reopen

OURS = "mnist_sweep.sweep.sweeper.BudgetSweeper"
PRUNED = "mnist_sweep:pruned"  # a trial's system attribute: why its job stopped


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
    address = OmegaConf.select(sweeper, "storage")
    if sweeper.get("_target_") != OURS or address is None or config.get("trial") is None:
        yield None
        return
    storage = reopen(address, HydraConfig.get().runtime.cwd)
    if not storage.shared:
        yield None
        return
    study = optuna.load_study(
        study_name=config.study,
        storage=storage.optuna,
        sampler=optuna.samplers.RandomSampler(),  # a job proposes nothing
        pruner=build_pruner(OmegaConf.select(sweeper, "pruner")),
    )
    trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, config.trial)
    grace_period = OmegaConf.select(sweeper, "grace_period", default=GRACE_PERIOD)
    signs = SignsOfLife(study._storage, JOB, grace_period / 4)
    try:
        signs.hold(trial_id)
        yield Reporter(Trial(study, trial_id)) if len(study.directions) == 1 else None
    finally:
        signs.close()
