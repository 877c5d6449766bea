"""An exported model, read back: its description, its network, what happens to pixels before it.

`mnist_sweep.bundle` writes bundles; runs read those that teach them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_sweep.data import Pipeline
from mnist_sweep.data.sources import DIGITS, SIZE
from mnist_sweep.errors import UserError
from mnist_sweep.files import check_folder, digest
from mnist_sweep.run.build import count_model
from mnist_sweep.run.directory import read_weights
from mnist_sweep.run.load import build_with
from mnist_sweep.text import counted, one_line
from mnist_sweep.untrusted_files import (
    LINE,
    MAPPING,
    NUMBER,
    TEXT,
    WHOLE,
    Check,
    Kinds,
    check_kinds,
    is_line,
    is_number,
    parse_json,
    text_of,
)

FORMAT = 1
WEIGHTS, DESCRIPTION, CONFIG, CARD = (
    "weights.safetensors",
    "bundle.json",
    "config.yaml",
    "README.md",
)

REQUIRED = ("name", "architecture", "parameters", "input", "labels", "weights_sha256")
KINDS: Kinds = {
    "name": LINE,
    "architecture": Check(
        "a mapping with a _target_, without interpolations",
        lambda value: isinstance(value, dict) and "_target_" in value and "${" not in str(value),
    ),
    "parameters": WHOLE,
    "multiply_adds": WHOLE,
    "input": MAPPING,
    "labels": Check(
        "a list of different lines of printable text",
        lambda value: (
            isinstance(value, list)
            and bool(value)
            and all(map(is_line, value))
            and len(set(value)) == len(value)
        ),
    ),
    "training": MAPPING,
    "figures": MAPPING,
    "weights_sha256": TEXT,
    # Since bundles have it: without it probabilities are the network's own.
    "calibration": {
        "temperature": Check(
            "a finite number greater than 0", lambda value: is_number(value) and value > 0
        ),
        "reason": TEXT,
    },
}
PIXELS: Kinds = {
    "shape": Check(f"[1, {SIZE}, {SIZE}]", lambda value: value == [1, SIZE, SIZE]),
    "pixels": TEXT,
    "mean": NUMBER,
    "std": Check("a finite number greater than 0", lambda value: is_number(value) and value > 0),
}


class BundleError(UserError):
    """A bundle that is damaged, or no bundle."""


@dataclass(frozen=True)
class Bundle:
    """A model in evaluation mode, what happens to pixels before it, and what its outputs mean."""

    model: nn.Module
    pipeline: Pipeline
    labels: tuple[str, ...]
    description: dict[str, Any]

    @property
    def reads_digits(self) -> bool:
        """Whether it was trained on MNIST's digits, or does not say on what."""
        data = (self.description.get("figures") or {}).get("data")
        name = data.get("name") if isinstance(data, dict) else None
        return name is None or name in DIGITS

    @property
    def temperature(self) -> float:
        """What its logits are divided by, so that probabilities mean what they say; 1 without."""
        return float((self.description.get("calibration") or {}).get("temperature") or 1.0)

    @property
    def uncalibrated(self) -> str | None:
        """Why its probabilities are the network's own; None where they are calibrated."""
        calibration = self.description.get("calibration")
        if not calibration or calibration.get("temperature") is None:
            return "the bundle has no temperature; export the run again"
        return one_line(calibration["reason"]) if calibration.get("reason") else None

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Images uint8 [B, 28, 28], light on dark -> probabilities [B, labels] on the CPU.

        They are calibrated where the bundle has a temperature. Raises BundleError where the network
        puts out what is no finite number, of which there are none.
        """
        device = next(self.model.parameters()).device
        logits = self.model(self.pipeline.prepare(images.to(device)))
        found = torch.softmax(logits.float() / self.temperature, 1).cpu()
        if not bool(found.isfinite().all()):
            raise BundleError(
                f"{self.description['name']} puts out what is no finite number: train it again, "
                "with a lower learning rate"
            )
        return found


def read_bundle(path: str, device: torch.device, setting: str = "bundle") -> Bundle:
    """Read a bundle, the value of a setting, its model on a device.

    Nothing of the bundle is executed but a class that its architecture names, which must be one of
    this package or allowed by the environment variable MNIST_SWEEP_TARGETS. Raises BundleError,
    FileError for a folder that cannot be looked into, RecordError for weights that do not fit, and
    ConfigError for an architecture that may not or cannot be built.
    """
    check_folder(setting, path)
    folder = Path(path)
    description = _read_description(folder, setting)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BundleError(f"{setting}={path} has no {WEIGHTS}; export the run again")
    if digest(weights) != description["weights_sha256"]:
        raise BundleError(f"{weights} is damaged: its SHA-256 is not the one in {DESCRIPTION}")
    node = description["architecture"]
    # Before anything of it is allocated: a mistyped width can be a thousand times too wide.
    shapes, parameters = count_model(node, description["name"])
    if parameters != description["parameters"]:
        raise BundleError(
            f"{setting}={path} is damaged: its architecture has {parameters:,} parameters, not the "
            f"{description['parameters']:,} that {DESCRIPTION} names"
        )
    model = build_with(node, shapes, read_weights(weights, device), str(weights))
    labels = tuple(description["labels"])
    outputs = _outputs(shapes)
    if len(labels) != outputs:
        raise BundleError(
            f"{folder / DESCRIPTION} is damaged: it names {counted(len(labels), 'label')}, but the "
            f"network has {counted(outputs, 'output')}"
        )
    pixels = description["input"]
    pipeline = Pipeline(float(pixels["mean"]), float(pixels["std"]))
    return Bundle(model.to(device).eval(), pipeline, labels, description)


def _outputs(shapes: nn.Module) -> int:
    """Return how many logits a model on the meta device gives for an image."""
    try:
        logits = shapes.eval()(torch.empty((1, 1, SIZE, SIZE), device="meta"))
        rows, outputs = logits.shape
    except Exception as error:  # a user's model may raise anything
        raise BundleError(
            f"{type(shapes).__name__} does not take an image [1, 1, {SIZE}, {SIZE}]: "
            f"{one_line(error)}"
        ) from error
    if rows != 1:
        raise BundleError(f"{type(shapes).__name__} gives {rows} rows of logits for one image")
    return int(outputs)


def _read_description(folder: Path, setting: str) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise BundleError(f"{setting}={folder} is not a bundle: it has no {DESCRIPTION}")
    try:
        description = parse_json(text_of(path))
        check_kinds(description, {"format": WHOLE}, ("format",))
        if description["format"] != FORMAT:
            raise BundleError(
                f"{path} has format {description['format']}; this version reads format {FORMAT}"
            )
        check_kinds(description, KINDS, REQUIRED)
        check_kinds(description["input"], PIXELS, ("mean", "std"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}") from error
    return description
