"""What a study's finished trials keep: no checkpoint to resume from, and the best ones' weights."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.errors import UserError
from mnist_sweep.files import where
from mnist_sweep.sweep import summary
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.status import TrialStatus, is_feasible, status_of
from mnist_sweep.text import relative

if TYPE_CHECKING:
    from mnist_sweep.run.directory import RunDirectory

log = logging.getLogger("mnist_sweep")

SETTING = "hydra.sweeper.keep_weights"
DONE = (TrialStatus.COMPLETE, TrialStatus.PRUNED)  # in the study: never resumed


class KeptFiles(SweepCallback):
    """A remover of what nothing will read any more, once the study has recorded a trial's end.

    `directory` is the sweep's, where trial N's run is in N. `weights`: of how many trials the
    weights are kept; None keeps all. Failed trials keep everything. What a killed sweep has left is
    removed by the next one; another task's files, and another machine's runs, are left alone.
    """

    def __init__(self, study: optuna.Study, directory: Path, weights: int | None) -> None:
        self.study, self.directory, self.weights = study, directory, weights
        self.without_checkpoint: set[int] = set()
        self.without_weights: set[int] = set()

    def told(self) -> None:
        """Remove what the trials that have ended do not need."""
        self._remove()

    def ended(self) -> None:
        """Remove what an earlier sweep, or another one of the study, has left."""
        self._remove()

    def _remove(self) -> None:
        trials = self.study.get_trials(deepcopy=False)
        done = {trial.number for trial in trials if status_of(trial) in DONE}
        for number in sorted(done - self.without_checkpoint):
            self._of(number, lambda run: run.last.unlink(missing_ok=True))
        self.without_checkpoint |= done
        if self.weights is not None:
            dropped = done - best_numbers(self.study, self.weights)
            why = f"{SETTING}={self.weights}"
            for number in sorted(dropped - self.without_weights):
                self._of(number, lambda run: run.remove_weights(why))
            self.without_weights |= dropped

    def _of(self, number: int, remove: "Callable[[RunDirectory], None]") -> None:
        """Remove something of a trial's run; the sweep continues where that cannot be done."""
        path = self.directory / str(number)
        if not self._is_ours(number):
            return
        from mnist_sweep.run.directory import RunDirectory  # torch comes with it

        try:
            remove(RunDirectory(path))
        except (OSError, UserError) as error:
            said = where(error) if isinstance(error, OSError) else error
            log.warning("%s keeps what is not needed any more: %s", relative(path), said)

    def _is_ours(self, number: int) -> bool:
        """Whether a run of ours is there whose result says that it is this finished trial."""
        result = outcomes.recorded(self.directory / str(number))
        named = (result.get("study"), result.get("trial"), result.get("status"))
        return named[:2] == (self.study.study_name, number) and named[2] in DONE


def best_numbers(study: optuna.Study, count: int) -> set[int]:
    """Return the numbers of a study's best complete trials, so many where there are as many.

    Of equal ones the first. With several objectives whole fronts, the best first, until they have
    as many. The study's best is always among them.
    """
    best = {trial.number for trial in summary.best_trials(study)}
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    feasible = [trial for trial in complete if is_feasible(trial)]
    if len(study.directions) == 1:
        ordered = sorted(feasible, key=lambda t: (_losses(study, t), t.number))
        return best | {trial.number for trial in ordered[:count]}
    while feasible and len(best) < count:
        rest = [trial for trial in feasible if trial.number not in best]
        losses = [_losses(study, trial) for trial in rest]
        best |= {t.number for t, own in zip(rest, losses, strict=True) if not _beaten(own, losses)}
        feasible = rest
    return best


def _losses(study: optuna.Study, trial: FrozenTrial) -> tuple[float, ...]:
    """Return a trial's values, of which less is better."""
    return tuple(
        -value if direction == StudyDirection.MAXIMIZE else value
        for value, direction in zip(trial.values, study.directions, strict=True)
    )


def _beaten(own: tuple[float, ...], others: Sequence[tuple[float, ...]]) -> bool:
    return any(
        other != own and all(theirs <= mine for theirs, mine in zip(other, own, strict=True))
        for other in others
    )
