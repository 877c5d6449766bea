"""What a study's finished trials keep: no checkpoint to resume from, and the best ones' weights."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.errors import UserError
from mnist_sweep.files import reason_and_place
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.status import TrialStatus, status_of
from mnist_sweep.sweep.trials.tally import Tally
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

    def __init__(self, tally: Tally, directory: Path, weights: int | None) -> None:
        self.tally, self.directory, self.weights = tally, directory, weights
        self.read = 0  # how many of `tally.ended` have been looked at
        self.with_weights: set[int] = set()  # trials whose weights have not been removed

    def told(self) -> None:
        """Remove what the trials that have ended do not need."""
        self._remove()

    def ended(self) -> None:
        """Remove what an earlier sweep, or another one of the study, has left."""
        self._remove()

    def _remove(self) -> None:
        ended = self.tally.ended
        done = {trial.number for trial in ended[self.read :] if status_of(trial) in DONE}
        for number in sorted(done):
            self._of(number, lambda run: run.last.unlink(missing_ok=True))
        if self.weights is not None:
            self.with_weights |= done
            dropped = self.with_weights - self.tally.best_numbers(self.weights)
            why = f"{SETTING}={self.weights}"
            for number in sorted(dropped):
                self._of(number, lambda run: run.remove_weights(why))
            self.with_weights -= dropped
        self.read = len(ended)

    def _of(self, number: int, remove: "Callable[[RunDirectory], None]") -> None:
        """Remove something of a trial's run; the sweep continues where that cannot be done."""
        path = self.directory / str(number)
        if not self._is_ours(number):
            return
        from mnist_sweep.run.directory import RunDirectory  # torch comes with it

        try:
            remove(RunDirectory(path))
        except (OSError, UserError) as error:
            said = reason_and_place(error) if isinstance(error, OSError) else error
            log.warning("%s keeps what is not needed any more: %s", relative(path), said)

    def _is_ours(self, number: int) -> bool:
        """Whether a run of ours is there whose result says that it is this finished trial."""
        result = outcomes.recorded(self.directory / str(number))
        named = (result.get("study"), result.get("trial"), result.get("status"))
        return named[:2] == (self.tally.study.study_name, number) and named[2] in DONE
