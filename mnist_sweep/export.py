"""A run's model as a bundle to take away.

    python -m mnist_sweep.export run=outputs/2026-11-20/17-25-21 to=my_model

run   the directory of a run: outputs/..., multirun/<study>/<trial>, or multirun/<study>/best
to    the bundle's folder, which must not exist yet or be empty
onnx  true: model.onnx too, which maps uint8 images to logits, checked to be those of torch
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from mnist_sweep.bundle.bundle import ONNX, write_bundle
from mnist_sweep.cli import arguments
from mnist_sweep.cli.printed_commands import entry
from mnist_sweep.run.load import load_trained
from mnist_sweep.text import relative


@dataclass
class Export:
    """The command line; see the module."""

    run: str
    to: str
    onnx: bool = False


def main(asked: Export) -> None:
    """Write the bundle and say what is in it."""
    trained = load_trained(asked.run, torch.device("cpu"))
    folder = Path(asked.to)
    difference = write_bundle(trained, folder, asked.onnx)
    print(f"{trained.name}, kept epoch {trained.result.get('best_epoch')}, from {asked.run}")
    print(f"bundle: {relative(folder)}")
    if difference is not None:
        print(f"  {ONNX}: its logits differ from torch's by at most {difference:.1g}")
    print(f"  try it: {entry('predict', bundle=asked.to, images='digit.png')}")


if __name__ == "__main__":
    arguments.run(Export, __doc__ or "", main, wait="writing the bundle")
