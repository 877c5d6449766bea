"""What a run says: what was decided for the user, a line an epoch, the result."""

import logging
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mnist_sweep.cli.printed_commands import override, resuming
from mnist_sweep.cli.terminal import columns_of, handlers
from mnist_sweep.config import RunConfig
from mnist_sweep.models.layout import Layout
from mnist_sweep.text import counted, duration, percent, relative
from mnist_sweep.training.epochs import Epoch

log = logging.getLogger("mnist_sweep")


_said: set[str] = set()  # on this process's console


def begin() -> None:
    """Begin anew: a run by itself says everything, whatever its process has said before."""
    _said.clear()


def say_once(line: str) -> None:
    """Say a line once on a process's console, and in the log of each run that it trains."""
    if line not in _said:
        _said.add(line)
        log.info(line)
    else:
        _to_handlers(logging.INFO, in_files=line)


def say_fitted(line: str, short: str, level: int = logging.INFO) -> None:
    """Say a line in a short form where it is wider than the terminal; files have the whole one."""
    width = columns_of(log)
    if width is None or len(line) <= width:
        log.log(level, line)
    else:
        _to_handlers(level, in_files=line, elsewhere=short)


def _to_handlers(level: int, in_files: str, elsewhere: str | None = None) -> None:
    """Say one thing in files, and another or nothing on streams."""
    if not log.isEnabledFor(level):
        return
    for handler in handlers(log):
        line = in_files if isinstance(handler, logging.FileHandler) else elsewhere
        if line is not None and level >= handler.level:
            handler.handle(log.makeRecord(log.name, level, __file__, 0, line, (), None))


class Narrator:
    """The printed lines of one run; few for a trial, since its sweeper prints one for each.

    `epochs`: how many are trained, where those are not all of the run's.
    """

    def __init__(self, run: RunConfig, epochs: int | None = None) -> None:
        self.run, self.epochs = run, epochs or run.epochs
        self.level = logging.INFO if run.trial is None else logging.DEBUG
        self.started = time.perf_counter()
        self.began: float | None = None  # when the first epoch done here began
        self.first: tuple[int, float] | None = None  # which it was, and when it ended
        self.images: dict[str, int] = {}  # in each split

    def announce(self, facts: dict[str, Any], directory: Path) -> None:
        """Say what will be trained, on what and where."""
        run, data = self.run, facts["data"]
        self.images = dict(data["sizes"])
        budget = run.budget.max_parameters
        for name in ("name", "notes"):
            if facts.get(name):
                self._say(f"{name}: {facts[name]}")
        self._say(
            f"model: {facts['model']}, {facts['parameters']:,} parameters "
            f"({'no budget' if budget is None else f'budget {budget:,}'}), "
            f"{facts['multiply_adds']:,} multiply-adds an image; "
            f"{counted(self.epochs, 'epoch')} of batch {run.batch_size}; seed {run.seed}"
        )
        if facts.get("widths"):
            self._say(f"widths: {facts['widths']}")
        train, val, test = (f"{size:,}" for size in data["sizes"].values())
        say_once(
            f"data: {data['name']}, {train} train / {val} validation / {test} test images; "
            f"{data['reason']}"
        )
        teacher = facts.get("teacher")
        if teacher:
            say_once(
                f"teacher: {teacher['model']}, {teacher['parameters']:,} parameters, not counted "
                f"in the budget; {teacher['path']}"
            )
        graph = ", CUDA graph" if facts.get("cuda_graph") else ""
        threads = counted(facts["threads"], "thread")
        say_once(f"device: {facts['device']}, {threads}, {facts['precision']}{graph}")
        if facts.get("advice"):
            say_once(f"note: {facts['advice']}")
        self._say(f"run directory: {relative(directory)}")

    def layout(self, layout: Layout) -> None:
        """Say which memory layout is trained in, where it is not the usual one."""
        if layout.reason is not None:
            self._say(f"layout: {layout.name}, since the model has {layout.reason}")

    def resumed(self, epoch: int) -> None:
        """Say after which epoch a run is resumed."""
        self._say(f"resuming after epoch {epoch} of {self.epochs}")

    def progress(self, batches: Iterable[Any], epoch: int, steps: int) -> Iterable[Any]:
        """Wrap an epoch's batches in a bar where there is a terminal."""
        self.began = self.began or time.perf_counter()
        trial = "" if self.run.trial is None else f"trial {self.run.trial} "
        bar: Iterable[Any] = tqdm(
            batches,
            total=steps,
            desc=f"{trial}epoch {epoch}/{self.epochs}",
            unit="batch",
            leave=False,
            disable=not (self.run.progress and sys.stderr.isatty()),
        )
        return bar

    def _pace(self, figures: Epoch) -> float:
        """Return the seconds that an epoch takes, what is written after it included.

        From the first one's end on, since what came before it does not come again.
        """
        now = time.perf_counter()
        if self.first is None or figures.epoch <= self.first[0]:
            self.first = (figures.epoch, now)
            return figures.seconds if self.began is None else now - self.began
        epoch, ended = self.first
        return (now - ended) / (figures.epoch - epoch)

    def epoch(self, figures: Epoch) -> None:
        """Say an epoch's figures, and the time left."""
        epochs = self.epochs
        which = f"epoch {figures.epoch:>{len(str(epochs))}}/{epochs}"
        losses = (
            f"train loss {figures.train_loss:.4f} acc {self._acc('train', figures.train_acc)}  "
            f"val loss {figures.val_loss:.4f} acc {self._acc('val', figures.val_acc)}"
        )
        left = f"{duration(self._pace(figures) * (epochs - figures.epoch))} left"
        speed = f"{figures.images_per_second:6,.0f} images/s"
        say_fitted(
            f"{which}  lr {figures.lr:<9.3g}  {losses}  {speed}  {left}",
            f"{which}  {losses}  {left}",
            self.level,
        )

    def result(self, result: dict[str, Any]) -> None:
        """Say the run's result."""
        test = f"; {self._figures('test', result)}" if "test_acc" in result else ""
        named = f"{result['name']}: " if result.get("name") else ""
        self._say(
            f"{named}{result['reason']}; kept epoch {result['best_epoch']}: "
            f"{self._figures('val', result)}{test}; {duration(result['seconds'])} in all"
        )

    def _figures(self, split: str, result: dict[str, Any]) -> str:
        """Return a split's loss, which is none where that was no finite number, and accuracy."""
        loss = result[f"{split}_loss"]
        shown = "not finite" if loss is None else f"{loss:.4f}"
        accuracy = percent(result[f"{split}_acc"], self.images.get(split))
        return f"{split} loss {shown} acc {accuracy}"

    def _acc(self, split: str, accuracy: float) -> str:
        """Return an accuracy so wide that those of all epochs are below each other."""
        images = self.images.get(split)
        return f"{percent(accuracy, images):>{len(percent(1.0, images)) - 1}}"

    def interrupted(self, epoch: int, directory: Path) -> None:
        """Say how to resume after Ctrl-C."""
        if epoch:
            self._say(
                f"stopped after epoch {epoch}; resume with: "
                + resuming().command([override("resume", relative(directory))])
            )

    def _say(self, line: str) -> None:
        log.log(self.level, line)
