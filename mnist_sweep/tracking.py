"""What people look at in TensorBoard, written into the run's own directory."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_sweep.fit import Epoch

# One chart with both splits: TensorBoard's custom scalars draw several tags together.
LAYOUT = {
    "training": {
        "loss": ["Multiline", ["loss/train", "loss/val"]],
        "accuracy": ["Multiline", ["accuracy/train", "accuracy/val"]],
        "learning rate": ["Multiline", ["lr"]],
    }
}


class TensorBoard:
    """Scalars each epoch; hyperparameters with the final figures at the end.

    `purge` is the epoch from which a run is done again: what is there of it is hidden. The events
    lie in the run directory itself, so that TensorBoard calls the run by the directory's name.
    """

    def __init__(self, directory: Path, purge: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # 1.6 s: only where it is wanted

        self.writer = SummaryWriter(str(directory), purge_step=purge)
        self.writer.add_custom_scalars(LAYOUT)

    def start(self, model: nn.Module, images: Tensor, graph: bool) -> None:
        """Show sample images [N, 1, H, W] as the network sees them, and the model's graph."""
        if len(images):
            span = images.amax() - images.amin()
            self.writer.add_images("training images", (images - images.amin()) / span)
        if graph:
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

    def epoch(self, figures: Epoch) -> None:
        """Add an epoch's figures."""
        for tag, value in (
            ("loss/train", figures.train_loss),
            ("loss/val", figures.val_loss),
            ("accuracy/train", figures.train_acc),
            ("accuracy/val", figures.val_acc),
            ("lr", figures.lr),
            ("images_per_second", figures.images_per_second),
        ):
            self.writer.add_scalar(tag, value, figures.epoch)
        self.writer.flush()

    def finish(
        self, settings: Mapping[str, Any], figures: Mapping[str, float], status: str
    ) -> None:
        """Put the run into the HPARAMS tab with its final figures, and close the file.

        Not by `add_hparams`, which opens a second writer and so shows a ghost run beside each run.
        """
        from torch.utils.tensorboard.summary import hparams

        shown = {f"final/{name}": value for name, value in figures.items()}
        for summary in hparams(dict(settings), shown):  # type: ignore[no-untyped-call]
            file_writer = self.writer._get_file_writer()  # type: ignore[no-untyped-call]
            file_writer.add_summary(summary)
        for tag, value in shown.items():
            self.writer.add_scalar(tag, value)
        self.writer.add_text("status", status)
        self.writer.close()

    def close(self) -> None:
        """Close the file of a run that did not come to its end."""
        self.writer.close()


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """Return nested settings under their dotted keys; lists and None become text."""
    flat: dict[str, bool | int | float | str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value if isinstance(value, bool | int | float | str) else str(value)
    return flat
