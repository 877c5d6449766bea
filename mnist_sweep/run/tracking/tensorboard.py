"""TensorBoard: written into the run's own directory, so that it calls the run by that name."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mnist_sweep.config import TensorBoardConfig
from mnist_sweep.run.tracking import AsSeen, ComparedSettings
from mnist_sweep.training.loop import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# One chart with both splits: TensorBoard's custom scalars draw several tags together.
LAYOUT = {
    "training": {
        "loss": ["Multiline", ["loss/train", "loss/val"]],
        "accuracy": ["Multiline", ["accuracy/train", "accuracy/val"]],
        "learning rate": ["Multiline", ["lr"]],
    }
}

# The columns of HPARAMS beside the settings, and what they are of. TensorBoard shows the first five
# by name, capital letters first, so that these stand before every epoch's.
FINAL_FIGURES = {
    "Final/accuracy/test": "test_acc",
    "Final/accuracy/val": "val_acc",
    "Final/epochs": "epochs",
    "Final/loss/test": "test_loss",
    "Final/loss/val": "val_loss",
    "Final/parameters": "parameters",
    "Final/seconds": "seconds",
}


class TensorBoard:
    """Scalars each epoch; settings with the final figures, and pictures, at the end.

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
        with warnings.catch_warnings():
            # TensorBoard reads graphs of torch.jit.trace only, which torch has deprecated.
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)
            self.writer.add_graph(model, torch.zeros(1, 1, 28, 28, device=device))
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
        """Put the run into HPARAMS with its final figures, add the pictures, close the file.

        Not by `add_hparams`, which opens a second writer and so shows a ghost run beside each run,
        and lists one run's settings as everyone's: without that list TensorBoard makes its own of
        all runs, and shows first the settings in which they differ.
        """
        from torch.utils.tensorboard.summary import hparams

        found = {tag: result.get(key) for tag, key in FINAL_FIGURES.items()}
        shown = {tag: float(value) for tag, value in found.items() if value is not None}
        _, *session = hparams(dict(self.settings), shown)  # type: ignore[no-untyped-call]
        writer = self.writer.file_writer
        assert writer is not None  # until the writer is closed
        for summary in session:
            writer.add_summary(summary)
        for tag, value in shown.items():
            self.writer.add_scalar(tag, value)
        for name, figure in drawn.items():
            self.writer.add_figure(name, figure, result["epochs"], close=False)
        self.writer.add_text("status", f"{result['status']}: {result['reason']}")
        self.writer.close()

    def abandon(self, result: Mapping[str, Any]) -> None:
        """Close the file of a run that was cut short."""
        self.writer.close()

    def leave(self) -> None:
        """Close the file, which is this process's own."""
        self.writer.close()
