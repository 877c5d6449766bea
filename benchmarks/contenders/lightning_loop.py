"""The same training by Lightning with torchmetrics, as their introductions have it.

    python -m benchmarks.contenders.lightning_loop ROOT EPOCHS

Logger, checkpoints, progress bar and model summary are off, which is kinder than the default.
https://lightning.ai/docs/pytorch/stable/starter/introduction.html
"""

import json
import logging
import sys
import time
import warnings
from typing import Any

import lightning
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from benchmarks.contenders.dataloader import loaders
from benchmarks.contenders.network import enhanced


class Digits(lightning.LightningModule):
    """The enhanced network; loss and accuracy are logged each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.model = enhanced()
        self.accuracy = MulticlassAccuracy(10, average="micro")
        self.images_per_second: list[float] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        logits = self.model(images)
        loss = F.cross_entropy(logits, labels)
        self.accuracy(logits, labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_acc", self.accuracy, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam with the default rate of this project."""
        return torch.optim.Adam(self.parameters(), lr=0.003)

    def on_train_epoch_start(self) -> None:
        """Take the time."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Take the time again."""
        images: Any = self.trainer.train_dataloader.dataset
        self.images_per_second.append(len(images) / (time.perf_counter() - self.started))


def main(root: str, epochs: int) -> None:
    """Train and print each epoch's images a second."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(0, verbose=False)
    module = Digits()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loaders(root, 32)[0])
    print(json.dumps(module.images_per_second))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
