"""A run's model as a bundle to take away.

    python -m mnist_sweep.export run=outputs/2026-11-20/17-25-21 to=my_model

run   the directory of a run: outputs/..., multirun/<study>/<trial>, or multirun/<study>/best
to    the bundle's folder, which must not exist yet or be empty
onnx  true: model.onnx too, which maps uint8 images to logits, checked to be those of torch
html  true: draw.html too, a page to draw a digit on with the model in it; it works offline

The bundle has a temperature, fitted on the run's validation images, that makes the probabilities
mean what they say; where those images are not here any more, it says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mnist_sweep.bundle.bundle import ONNX, PAGE, write_bundle
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
    html: bool = False


def main(asked: Export) -> None:
    """Write the bundle and say what is in it."""
    trained = load_trained(asked.run, torch.device("cpu"))
    folder = Path(asked.to)
    written = write_bundle(trained, folder, asked.onnx, asked.html)
    print(f"{trained.name}, kept epoch {trained.result.get('best_epoch')}, from {asked.run}")
    print(f"bundle: {relative(folder)}")
    print(f"  {calibration_text(written.description['calibration'])}")
    if written.difference is not None and asked.onnx:
        print(f"  {ONNX}: its logits differ from torch's by at most {written.difference:.1g}")
    if asked.html:
        print(f"  {PAGE}: open it in a browser and draw a digit")
    print(f"  try it: {entry('predict', bundle=asked.to, images='digit.png')}")


def calibration_text(calibration: Mapping[str, Any]) -> str:
    """Return what was done for the probabilities, as a line."""
    if calibration.get("images") is None:
        return f"probabilities are not calibrated: {calibration['reason']}"
    error = calibration["ece"]
    return (
        f"probabilities: temperature {calibration['temperature']:.3f}, fitted on "
        f"{calibration['images']:,} validation images (calibration error {error['before']:.2%} -> "
        f"{error['after']:.2%})"
    )


if __name__ == "__main__":
    arguments.run(Export, __doc__ or "", main, wait="writing the bundle")
