"""What happens beside a sweep: who is told what, at which moments."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import optuna

from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.storage import OUTAGE_SECONDS, with_backoff
from mnist_sweep.sweep.trials.proposals import Proposal


class SweepCallback:
    """A listener to a sweep's events. Every method does nothing unless a subclass has its own."""

    def launched(self, number: int) -> None:
        """A trial's job was started, for the first time or again."""

    def rejected(self, proposal: Proposal) -> None:
        """The gate rejected a proposal."""

    def refused(self, number: int, reason: str) -> None:
        """A proposal is no valid run."""

    def requeued(self, number: int) -> None:
        """A trial whose processes had died will be resumed."""

    def retried(self, number: int, reason: str) -> None:
        """A trial's process died, and this sweep resumes the trial in a new one."""

    def recorded(self, facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
        """A trial's run has recorded what it runs on. Raise SweepError to end the sweep."""

    def lease_lost(self, number: int) -> None:
        """A trial of this sweep was taken over by another sweep."""

    def raised(self, error: BaseException) -> None:
        """A job raised an error."""

    def failed(self, number: int, reason: str) -> None:
        """A trial failed."""

    def pruned(self, number: int, reason: str) -> None:
        """A trial was pruned."""

    def complete(self, number: int, values: Sequence[float]) -> None:
        """A trial is complete."""

    def told(self) -> None:
        """The study has one more trial that ended, or the sweep ends since one failed."""

    def stopped(self, reason: str) -> None:
        """No further trial will be launched."""

    def waiting(self) -> None:
        """Nothing is left to launch, and other processes' trials may yet come back."""

    def tick(self, running: Sequence[int]) -> None:
        """About a second has passed; `running` are the trials whose jobs run."""

    def ending(self) -> None:
        """The sweep ends without having begun."""

    def ended(self) -> None:
        """The sweep has ended, and what it left open waits to be resumed."""


class Callbacks:
    """Several callbacks as one, told in order."""

    def __init__(self, callbacks: Sequence[SweepCallback]) -> None:
        self.callbacks = callbacks

    def tell(self, event: Callable[[SweepCallback], None], seconds: float = OUTAGE_SECONDS) -> None:
        """Tell each: `tell(lambda each: each.launched(3))`.

        One that needs the storage is told again for so many seconds while that does not answer; the
        others are not.
        """
        for callback in self.callbacks:
            with_backoff(partial(event, callback), seconds)


class DataCheck(SweepCallback):
    """A check that ends a sweep whose trials are on other data than its study."""

    def __init__(self, study: optuna.Study) -> None:
        self.study = study

    def recorded(self, facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
        """Raise SweepError where a run is on other data."""
        study_store.check_data(self.study, figures)
