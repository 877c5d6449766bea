"""What a sweep says: where it begins, a line a trial, what was found and where to look next."""

import logging
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from mnist_sweep.sweep import results
from mnist_sweep.sweep import study as studies
from mnist_sweep.text import duration, relative

log = logging.getLogger("mnist_sweep")


class Progress:
    """Speaks of one study; `objective` is what the user calls its value."""

    def __init__(
        self, study: optuna.Study, storage: str | None, n_trials: int, objective: str
    ) -> None:
        self.study, self.storage, self.n_trials = study, storage, n_trials
        self.objective = objective
        self.started = time.perf_counter()
        self.done_before = studies.finished(study)
        log.info(
            "study %s in %s: %d of %d trials done",
            study.study_name,
            storage or "memory",
            self.done_before,
            n_trials,
        )

    def not_searched(self, names: Sequence[str]) -> None:
        """Say which settings of the search the config does not have."""
        if names:
            log.info("not searched, since the config has no such setting: %s", ", ".join(names))

    def rejected(self, number: int, reason: str) -> None:
        """Say that the gate kept a proposal from being launched."""
        log.info("trial %d rejected: %s", number, reason)

    def failed(self, number: int, reason: str) -> None:
        """Say that a trial came to nothing."""
        log.warning("trial %d failed: %s", number, reason)

    def complete(self, number: int, values: Sequence[float]) -> None:
        """Say what a trial came to, what is best, and how long is left."""
        done = studies.finished(self.study)
        elapsed = time.perf_counter() - self.started
        left = elapsed / max(1, done - self.done_before) * (self.n_trials - done)
        best = results.best_trials(self.study)
        leader = ""
        if best and len(values) == 1:
            leader = f", best {best[0].value:.5g} (trial {best[0].number})"
        by_status = studies.counts(self.study)
        log.info(
            "trial %d done (%d/%d): %s %s%s; %d rejected, %d failed; %s left",
            number,
            done,
            self.n_trials,
            self.objective,
            _shown(values),
            leader,
            by_status[studies.REJECTED],
            by_status[studies.FAILED],
            duration(left),
        )

    def conclude(self, summary: Path) -> None:
        """Say what was found and where to look next."""
        by_status = studies.counts(self.study)
        log.info(
            "study %s: %d of %d trials finished, %d of them failed; %d proposals rejected; %s",
            self.study.study_name,
            studies.finished(self.study),
            self.n_trials,
            by_status[studies.FAILED],
            by_status[studies.REJECTED],
            duration(time.perf_counter() - self.started),
        )
        best = results.best_trials(self.study)
        for trial in best[:5]:
            self._best(trial)
        if not best:
            log.info("no trial is complete and feasible, so there is no best one")
        log.info("results: %s", relative(summary))
        log.info("look next: tensorboard --logdir %s (make tensorboard)", relative(summary.parent))
        if self.storage:
            log.info("           optuna-dashboard %s (make dashboard)", self.storage)

    def _best(self, trial: FrozenTrial) -> None:
        attributes = trial.user_attrs
        parameters = attributes.get("parameters")
        size = "" if parameters is None else f", {parameters:,} parameters"
        where = attributes.get("run_directory")
        log.info(
            "best: trial %d with %s %s%s, in %s",
            trial.number,
            self.objective,
            _shown(trial.values),
            size,
            where,
        )
        log.info(
            "  train it again: python -m mnist_sweep.train %s",
            shlex.join(attributes.get("overrides", [])),
        )


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.5g}" for value in values)
