"""TensorBoard: written into the run's own directory, so that it calls the run by that name."""

import io
import logging
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mnist_sweep.config import TensorBoardConfig
from mnist_sweep.run.directory import COMPLETE, DIVERGED
from mnist_sweep.run.tracking import AsSeen, ComparedSettings
from mnist_sweep.text import shortened
from mnist_sweep.training.epochs import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("mnist_sweep")

# One chart with both splits: TensorBoard's custom scalars draw several tags together.
LAYOUT = {
    "training": {
        "loss": ["Multiline", ["loss/train", "loss/val"]],
        "accuracy": ["Multiline", ["accuracy/train", "accuracy/val"]],
        "learning rate": ["Multiline", ["lr"]],
    }
}

# The columns of HPARAMS beside the settings, and what they are of. They are written as settings
# are: a run may lack one, and as a scalar each would be a chart of one point before the curves.
# TensorBoard shows five columns at first, of those that differ by name, capital letters first.
STATUS = "Status"
SCHEDULE = "Schedule"  # the setting `scheduler`, which would stand behind the others
HEADLINE = {"Test accuracy": "test_acc", "Val accuracy": "val_acc"}
LOSSES = {"result.test_loss": "test_loss", "result.val_loss": "val_loss"}
COSTS = {
    "result.best_epoch": "best_epoch",
    "result.epochs": "epochs",
    "result.parameters": "parameters",
    "result.seconds": "seconds",
}


class TensorBoard:
    """Scalars each epoch; settings with status and final figures, and pictures, at the end.

    `single` runs, which are part of no sweep, show training images too. `first_epoch` is from where
    a run is done again: what is there of it is hidden. `notes` are a text beside the name, which is
    a setting.
    """

    def __init__(
        self,
        directory: Path,
        config: TensorBoardConfig,
        settings: ComparedSettings,
        single: bool = True,
        first_epoch: int | None = None,
        notes: str | None = None,
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter  # 1.6 s: only where it is wanted

        self.config, self.settings, self.single = config, settings, single
        self.texts = {"name": settings.get("name"), "notes": notes}
        self.new = first_epoch is None
        self.writer = SummaryWriter(str(directory), purge_step=first_epoch)
        self.writer.add_custom_scalars(LAYOUT)

    def start(self, model: nn.Module, as_seen: AsSeen) -> None:
        """Show name and notes, training images as the network sees them, the network's graph."""
        if not self.new:
            return
        for tag, text in self.texts.items():
            if text:
                self.writer.add_text(tag, str(text))
        # Every trial of a sweep would show the same images.
        if self.single and self.config.images:
            images = as_seen(self.config.images)
            low, high = images.amin(), images.amax()
            self.writer.add_images("training images", (images - low) / (high - low))
        if self.config.graph:
            self._add_graph(model)

    def _add_graph(self, model: nn.Module) -> None:
        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        try:
            with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # it prints what fails
                # TensorBoard reads graphs of torch.jit.trace only, which torch has deprecated.
                warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
                self.writer.add_graph(model, torch.zeros(1, 1, 28, 28, device=device))
        except Exception as error:  # a user's model may hold what cannot be traced
            log.warning(
                "graph not shown: %s cannot be traced: %s; tracking.tensorboard.graph=false leaves "
                "it out",
                type(model).__name__,
                shortened(error),
            )
        finally:
            model.train(was_training)

    def epoch(self, figures: Epoch, model: nn.Module) -> None:
        """Add an epoch's figures; weights and last gradients as histograms where asked to."""
        for tag, value in (
            ("loss/train", figures.train_loss),
            ("loss/val", figures.val_loss),
            ("accuracy/train", figures.train_acc),
            ("accuracy/val", figures.val_acc),
            ("lr", figures.lr),
            ("images_per_second", figures.images_per_second),
        ):
            self.writer.add_scalar(tag, value, figures.epoch)
        if self.config.histograms:
            self._add_histograms(model, figures.epoch)
        self.writer.flush()

    def _add_histograms(self, model: nn.Module, epoch: int) -> None:
        for name, parameter in model.named_parameters():
            for kind, values in (("weights", parameter.detach()), ("gradients", parameter.grad)):
                if values is not None and torch.isfinite(values).all():
                    self.writer.add_histogram(f"{kind}/{name}", values, epoch)

    def finish(self, result: Mapping[str, Any], drawn: "Mapping[str, Figure]") -> None:
        """Put the run into HPARAMS with its final figures, add the pictures, close the file."""
        self._add_session(result)
        for name, figure in drawn.items():
            self.writer.add_figure(name, figure, result["epochs"], close=False)
        self.writer.add_text("status", f"{result['status']}: {result['reason']}")
        self.writer.close()

    def _add_session(self, result: Mapping[str, Any]) -> None:
        """Put the run into HPARAMS: its settings, its status and what it cost.

        How good it became is there of complete runs only: the figures of a run that was cut short
        are of another epoch. Not by `add_hparams`, which opens a second writer and so shows a ghost
        run beside each run, and lists one run's settings as everyone's: without that list
        TensorBoard makes its own of all runs, and shows first the settings in which they differ.
        """
        from torch.utils.tensorboard.summary import hparams

        complete = result["status"] == COMPLETE
        columns = {**COSTS, **(HEADLINE | LOSSES if complete else {})}
        found = {tag: result.get(key) for tag, key in columns.items()}
        shown = {tag: float(value) for tag, value in found.items() if value is not None}
        settings = {**self.settings, STATUS: str(result["status"]), **shown}
        if "scheduler" in settings:
            settings[SCHEDULE] = settings.pop("scheduler")
        _, *session = hparams(settings, {})  # type: ignore[no-untyped-call]
        writer = self.writer.file_writer
        assert writer is not None  # until the writer is closed
        for summary in session:
            writer.add_summary(summary)

    def abandon(self, result: Mapping[str, Any]) -> None:
        """Close the file of a run that was cut short.

        One that diverged is in HPARAMS too. Others may be resumed: TensorBoard keeps what it reads
        first of a run.
        """
        if result.get("status") == DIVERGED:
            self._add_session(result)
        self.writer.close()

    def leave(self) -> None:
        """Close the file, which is this process's own."""
        self.writer.close()
