"""A run while it lasts: its objects, and what is written, shown and reported of each epoch."""

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import torch

from mnist_sweep.config import ConfigError, RunConfig
from mnist_sweep.data import Dataset
from mnist_sweep.errors import LeaseLost, UserError
from mnist_sweep.objectives import METRICS
from mnist_sweep.run.build import (
    build_loss,
    build_pipeline,
    build_training,
    choose_layout,
    lay_out,
    state_after_a_step,
    uses_cuda_graph,
    widths_of,
)
from mnist_sweep.run.checkpoint import check_checkpoint
from mnist_sweep.run.console import Narrator
from mnist_sweep.run.directory import COMPLETE, DIVERGED, PRUNED, RecordError, RunDirectory
from mnist_sweep.run.tracking import Tracker, draws_figures, trackers
from mnist_sweep.text import one_line, relative
from mnist_sweep.training.distillation import Teacher
from mnist_sweep.training.epochs import Epoch
from mnist_sweep.training.loop import Diverged, Precision, Recipe, evaluate, fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("mnist_sweep")

STOPPED = 1.0  # seconds between a look at the lease and a write; they are milliseconds apart


def now() -> float:
    """Return seconds of a clock that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Reporter(Protocol):
    """A trial's way to its study; `mnist_sweep.sweep.trial.Reporter` is one."""

    @property
    def lost(self) -> bool:
        """Whether another process is known to have taken over the trial."""

    def check(self) -> None:
        """Raise LeaseLost where another process has taken over the trial."""

    def report(self, value: float, step: int, may_stop: bool = True) -> str | None:
        """Report the objective after an epoch; return why the run should stop, or None.

        `may_stop`: whether any epoch is left that could be saved.
        """

    def reached(self, step: int) -> None:
        """Record that an epoch is done which has nothing to report."""


class Session:
    """A run's objects together; `facts` go into its result, `reporter` is told each epoch.

    `sweep` is what the run is part of. Such a run never looks at test. `until` is the epoch after
    which the run stops, where that is not its last. `teacher`: whom it learns from beside the
    labels. `tests`: whether it looks at test at its end.
    """

    def __init__(
        self,
        run: RunConfig,
        directory: RunDirectory,
        facts: dict[str, Any],
        dataset: Dataset,
        device: torch.device,
        reporter: Reporter | None,
        sweep: str | None,
        until: int | None = None,
        teacher: Teacher | None = None,
        tests: bool = True,
    ) -> None:
        self.run, self.directory, self.facts, self.dataset = run, directory, facts, dataset
        self.device, self.sweep, self.teacher = device, sweep, teacher
        self.tests = tests and sweep is None
        self.until = min(until or run.epochs, run.epochs)
        # What is known before the first epoch cannot be reported epoch by epoch.
        only = run.objectives[0] if len(run.objectives) == 1 else None
        watched = only if only in METRICS else None
        self.reporter, self.watched = reporter, watched
        self.pruned = False
        self.pipeline = build_pipeline(run)
        self.precision = Precision(run.precision)
        self.steps = math.ceil(len(dataset.train) / run.batch_size)
        self.training = build_training(run, self.steps, device)
        if widths := widths_of(self.training.model):
            facts["widths"] = widths
        self.cuda_graph = uses_cuda_graph(run, self.training.model, device)
        if device.type == "cuda":
            facts["cuda_graph"] = self.cuda_graph
        self.narrator = Narrator(run, self.until)
        self.trackers: list[Tracker] = []
        self.looked = now()
        directory.before_writing = self._check_after_a_stop
        self.started = time.perf_counter()
        self.seconds_before = 0.0
        self.first_epoch = 1
        self.begun_before = False

    def resume(self, again: bool) -> None:
        """Resume from the last checkpoint; where there is no whole one, start anew if `again`.

        Raises RecordError, ConfigError for other data, and Diverged, recorded, for a run that had.
        """
        self.begun_before = True
        self._check_lease()
        self.directory.remove_leftovers()
        if again and not self.directory.last.exists():
            self.directory.forget()
            return
        try:
            state = self._checkpoint()
            self.directory.check_metrics(state["training"]["epoch"])
        except RecordError as error:
            if not again:
                raise
            log.warning("%s; the trial starts again", error)
            self.facts["started_again"] = str(error)
            self.directory.forget()
            return
        if state["fingerprint"] != self.dataset.fingerprint:
            raise ConfigError(
                f"resume={self.directory.path} was trained on other data (fingerprint "
                f"{state['fingerprint']}) than {self.dataset.name} is now "
                f"({self.dataset.fingerprint}); set data.root to the data that it was"
                " trained on"
            )
        try:
            self.training.load_state_dict(state["training"])
        except Exception as error:  # optimizers and schedules raise as they like
            raise RecordError(
                f"{self.directory.last} does not fit this model and optimizer: {one_line(error)}"
            ) from error
        self.seconds_before = state["seconds"]
        self.first_epoch = self.training.epoch + 1
        self.directory.keep_metrics(self.training.epoch)
        epochs = self.directory.read_metrics()
        if epochs and epochs[-1].get("train_loss") is None:
            # Its process was stopped before it could say so; its weights are lost.
            diverged = Diverged(f"training diverged in epoch {self.training.epoch}")
            self._record_failure(diverged)
            raise diverged
        self.narrator.resumed(self.training.epoch)

    def _checkpoint(self) -> dict[str, Any]:
        """Return the last checkpoint, of this model and optimizer. Raises RecordError."""
        state = self.directory.load_last(self.device)
        stepped = state_after_a_step(self.run.optimizer, list(self.training.model.parameters()))
        try:
            check_checkpoint(state, self.training, stepped)
        except ValueError as error:
            raise RecordError(
                f"{self.directory.last} is damaged, or does not fit this model and optimizer: "
                f"{error}"
            ) from error
        return state

    def complete(self) -> dict[str, Any]:
        """Train to the end, write the result and return it.

        Whatever ends the run otherwise is recorded, and raised again.
        """
        self._announce()
        try:
            self._choose_layout()
            self._start_tracking()
            reason = self._reported_before() or fit(
                self.training,
                self.dataset.train,
                self.dataset.val,
                self.pipeline,
                epochs=self.until,
                batch_size=self.run.batch_size,
                precision=self.precision,
                after_epoch=self._after_epoch,
                progress=self._batches,
                cuda_graph=self.cuda_graph,
                recipe=Recipe(build_loss(self.run), self.run.clip_norm, self.teacher),
            )
            result = self._finish(reason)
        except LeaseLost:
            self._leave()
            raise
        except BaseException as error:
            if self._is_anothers():
                self._leave()
            else:
                self._record_failure(error)
            raise
        self._conclude(result)
        return result

    def _announce(self) -> None:
        # Now, and not where it was built: others may have been trained between.
        self.started = self.narrator.started = time.perf_counter()
        self.narrator.announce(self.facts, self.directory.path)
        self._check_lease()
        self.directory.write_result({"status": "running", **self.facts})

    def _choose_layout(self) -> None:
        # Now that the run is recorded: the model is passed through, and may do what it likes.
        layout = choose_layout(self.run, self.device)
        lay_out(self.training, layout)
        self.facts["layout"] = {"name": layout.name, "reason": layout.reason}
        self.narrator.layout(layout)

    def _conclude(self, result: dict[str, Any]) -> None:
        """Tell the result: the run is complete from here on, even where telling fails."""
        self._finish_tracking(result)
        self.narrator.result(result)

    def _start_tracking(self) -> None:
        first = self.first_epoch if self.begun_before else None
        path = self.directory.path
        for tracker in trackers(self.run, path, self.facts, self.sweep, first):
            self.trackers.append(tracker)
            tracker.start(self.training.model, self._as_seen)

    def _as_seen(self, count: int) -> torch.Tensor:
        """Return so many training images as the network sees them, [count, 1, 28, 28]."""
        count = min(count, len(self.dataset.train))
        images = self.dataset.train[torch.arange(count, device=self.device)].images
        draws = self.pipeline.draw(count, torch.Generator().manual_seed(self.run.seed))
        return self.pipeline.prepare(images, None if draws is None else draws.to(self.device))

    def _batches(self, batches: Iterable[Any], epoch: int) -> Iterable[Any]:
        shown = self.narrator.progress(batches, epoch, self.steps)
        return shown if self.reporter is None else self._while_leased(shown, self.reporter)

    def _while_leased(self, batches: Iterable[Any], reporter: Reporter) -> Iterator[Any]:
        for batch in batches:
            if reporter.lost:
                reporter.check()
            yield batch

    def _check_lease(self) -> None:
        """Raise LeaseLost before anything is written about another process's trial."""
        if self.reporter is not None:
            self.reporter.check()
            self.looked = now()

    def _check_after_a_stop(self) -> None:
        """Look at the lease once more where so long has passed since that others may have it.

        A process may be stopped between a look and what it then writes.
        """
        if self.reporter is not None and now() - self.looked > STOPPED:
            self._check_lease()

    def _is_anothers(self) -> bool:
        """Whether the trial is known to be another process's: a machine that wakes up may fail."""
        try:
            self._check_lease()
        except LeaseLost:
            return True
        except Exception:  # the storage does not answer
            return False
        return False

    def _leave(self) -> None:
        """Write nothing more: from here on the directory is another process's."""
        for tracker in self.trackers:
            with self._only_warning(f"{type(tracker).__name__} cannot be closed"):
                tracker.leave()

    def _after_epoch(self, figures: Epoch, is_best: bool) -> str | None:
        self._check_lease()
        self.directory.append_metrics(figures)
        if is_best:
            self.directory.save_best(self.training.judged)
        # Last, so that a checkpoint never knows of an epoch whose record is not written.
        self.directory.save_last(
            {
                "training": self.training.state_dict(),
                "fingerprint": self.dataset.fingerprint,
                "seconds": self._seconds(),
            }
        )
        for tracker in self.trackers:
            tracker.epoch(figures, self.training.model)
        self.narrator.epoch(figures)
        return self._report(asdict(figures))

    def _report(self, figures: Mapping[str, Any]) -> str | None:
        """Tell the sweep an epoch's objective; return why the run should stop, or None."""
        if self.reporter is None:
            return None
        epoch, value = figures["epoch"], figures.get(str(self.watched))
        if value is None:
            self.reporter.reached(epoch)
            return None
        reason = self.reporter.report(value, epoch, may_stop=epoch < self.run.epochs)
        self.pruned = reason is not None
        return reason

    def _reported_before(self) -> str | None:
        """Report a resumed run's epochs, of which the last may not have got as far as the study."""
        reason = None
        for figures in self.directory.read_metrics():
            reason = self._report(figures)
        return reason

    def _seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    def _finish(self, reason: str | None) -> dict[str, Any]:
        best = self.training.kept.best_epoch
        if not best:
            raise Diverged(f"no epoch had a finite {self.run.keep.monitor}: no weights were kept")
        epochs = {line["epoch"]: line for line in self.directory.read_metrics()}
        kept = epochs.get(best, {})
        cut = reason is None and self.until < self.run.epochs
        whole = "its only epoch done" if self.until == 1 else f"all {self.until} epochs done"
        done = f"stopped after epoch {self.until}" if cut else whole
        result = {
            "status": PRUNED if self.pruned or cut else COMPLETE,
            "reason": reason or done,
            **self.facts,
            "epochs": self.training.epoch,
            "best_epoch": best,
            "val_loss": kept.get("val_loss"),
            "val_acc": kept.get("val_acc"),
        }
        if self.tests:
            self._take_kept_weights()
            result["test_loss"], result["test_acc"] = evaluate(
                self.training.model, self.dataset.test, self.pipeline, self.precision
            )
        result["seconds"] = self._seconds()
        self._check_lease()
        self.directory.write_result(result)
        return result

    def _take_kept_weights(self) -> None:
        self.training.model.load_state_dict(self.directory.load_best(self.device))

    def _finish_tracking(self, result: dict[str, Any]) -> None:
        drawn: dict[str, Figure] = {}
        if draws_figures(self.run, self.sweep):
            with self._only_warning("its figures cannot be drawn"):
                drawn = self._draw(result["best_epoch"])
        for tracker in self.trackers:
            with self._only_warning(f"{type(tracker).__name__} cannot be finished"):
                tracker.finish(result, drawn)

    def _draw(self, epoch: int) -> "dict[str, Figure]":
        from mnist_sweep.inspection.figures import of_a_run  # matplotlib comes with it

        self._take_kept_weights()
        name = f"{self.facts['model']}, epoch {epoch}, {self.dataset.name} val"
        return of_a_run(self.training.model, self.dataset.val, self.pipeline, name)

    @contextmanager
    def _only_warning(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log.warning("%s: %s: %s", relative(self.directory.path), what, one_line(error))

    def _record_failure(self, error: BaseException) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
        status = "interrupted" if interrupted else "failed"
        if isinstance(error, Diverged):
            status = DIVERGED  # and not resumable
        result = {
            "status": status,
            "reason": str(error) if isinstance(error, UserError) else repr(error),
            **self.facts,
            "epochs": self.training.epoch,
            "best_epoch": self.training.kept.best_epoch or None,
            "seconds": self._seconds(),
        }
        self.directory.write_result(result)
        for tracker in self.trackers:
            with self._only_warning(f"{type(tracker).__name__} cannot be closed"):
                tracker.abandon(result)
        if interrupted:
            self.narrator.interrupted(self.training.epoch, self.directory.path)
