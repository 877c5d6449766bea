"""A trained model to take away: a folder that explains itself, and holds no code."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from mnist_sweep.bundle.drawings import DIGITS
from mnist_sweep.bundle.onnx import write_onnx
from mnist_sweep.data import Pipeline
from mnist_sweep.data.sources import SIZE
from mnist_sweep.errors import UserError
from mnist_sweep.files import writing
from mnist_sweep.run.build import count_model
from mnist_sweep.run.directory import read_weights, save_weights
from mnist_sweep.run.load import Trained, build_with
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
)

FORMAT = 1
WEIGHTS, DESCRIPTION, CONFIG, CARD = (
    "weights.safetensors",
    "bundle.json",
    "config.yaml",
    "README.md",
)
ONNX = "model.onnx"  # where it is asked for
LABELS = tuple("0123456789")

# What a result says of the data and the machine, which a model card repeats.
FIGURES = (
    "epochs",
    "best_epoch",
    "val_loss",
    "val_acc",
    "test_loss",
    "test_acc",
    "seed",
    "data",
    "seconds",
    "device",
    "versions",
    "git_commit",
    "study",
    "trial",
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

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Images uint8 [B, 28, 28], light on dark -> probabilities [B, labels] on the CPU."""
        device = next(self.model.parameters()).device
        logits = self.model(self.pipeline.prepare(images.to(device)))
        return torch.softmax(logits.float(), 1).cpu()


def write_bundle(trained: Trained, to: Path, onnx: bool = False) -> float | None:
    """Write a run's model, with everything that using it needs, to a folder that is not there yet.

    With `onnx` as ONNX too; returns how far the logits of that are from torch's. Raises
    BundleError where the folder is there, FileError where it cannot be written, and OnnxError.
    """
    with writing("to", to):
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise BundleError(f"to={to} exists already; name a new or an empty folder")
    with tempfile.TemporaryDirectory() as beside:
        # First, and elsewhere: what cannot be written leaves no half of a bundle.
        made = Path(beside)
        difference = write_onnx(trained.model, trained.pipeline, made / ONNX) if onnx else None
        save_weights(trained.model, made / WEIGHTS)
        config = OmegaConf.to_yaml(OmegaConf.create(asdict(trained.run)))
        (made / CONFIG).write_text(config, encoding="utf-8")
        description = describe(trained) | {"weights_sha256": _digest(made / WEIGHTS)}
        (made / CARD).write_text(card(description, onnx), encoding="utf-8")
        text = json.dumps(description, indent=2) + "\n"
        (made / DESCRIPTION).write_text(text, encoding="utf-8")
        with writing("to", to):
            _copy(made, to)
    return difference


def _copy(made: Path, to: Path) -> None:
    """Copy a bundle's files, or none of them."""
    is_new, copies = not to.exists(), []
    to.mkdir(parents=True, exist_ok=True)
    try:
        # Last: a folder without its description is no bundle, so that one that a kill has cut short
        # is not taken for whole.
        for file in sorted(made.iterdir(), key=lambda file: file.name == DESCRIPTION):
            copies.append(to / file.name)
            shutil.copyfile(file, copies[-1])
    except OSError:
        for copy in copies:
            copy.unlink(missing_ok=True)
        if is_new:
            to.rmdir()
        raise


def describe(trained: Trained) -> dict[str, Any]:
    """Return what bundle.json says, but for the weights' digest."""
    run, result = trained.run, trained.result
    return {
        "format": FORMAT,
        "name": trained.name,
        "architecture": run.model,
        "parameters": result.get("parameters"),
        "multiply_adds": result.get("multiply_adds"),
        "input": {
            "shape": [1, SIZE, SIZE],
            "pixels": "uint8, light on dark, divided by 255, then (x - mean) / std",
            "mean": trained.pipeline.mean,
            "std": trained.pipeline.std,
        },
        "labels": list(LABELS),
        "training": {
            key: getattr(run, key)
            for key in ("optimizer", "scheduler", "epochs", "batch_size", "seed", "precision")
        },
        "figures": {key: result[key] for key in FIGURES if result.get(key) is not None},
    }


def card(description: Mapping[str, Any], onnx: bool = False) -> str:
    """Return the model card: what it is, what it was trained on, how good it is, how to use it."""
    figures, data = description["figures"], description["figures"].get("data", {})
    accuracy = [
        f"| {split} | {figures[f'{key}_acc']:.2%} | {data.get('sizes', {}).get(key, 0):,} |"
        for split, key in (("validation", "val"), ("test", "test"))
        if f"{key}_acc" in figures
    ]
    training = "\n".join(
        f"- {key}: `{json.dumps(value)}`" for key, value in description["training"].items()
    )
    what = "handwritten digits" if data.get("name") in (None, *DIGITS) else "images"
    return f"""# {description["name"]}

A classifier of {what} with {description["parameters"]:,} parameters and
{description["multiply_adds"]:,} multiply-adds an image, trained by mnist_sweep.

- Input: one grey image of {SIZE}x{SIZE} pixels, light on dark, like the images of the data.
- Output: logits of the labels {", ".join(description["labels"])}.
- Data: {data.get("name")}, fingerprint {data.get("fingerprint")}.

| images | accuracy | number |
|---|---|---|
{chr(10).join(accuracy)}

One run proves little: other seeds differ by a few hundredths of a point or more. The model was not
tested on {what} unlike those of the data: other pens, other hands, photographs.

## Use

```bash
python -m mnist_sweep.predict bundle=. images=digit.png
```

`bundle.json` has the architecture, how pixels are prepared, and the figures; `weights.safetensors`
has the weights; `config.yaml` has the whole configuration of the run.{_onnx_note() if onnx else ""}

## Training

{training}
- kept epoch: {figures.get("best_epoch")} of {figures.get("epochs")}
- commit: {figures.get("git_commit")}, {json.dumps(figures.get("versions"))}
"""


def _onnx_note() -> str:
    return (
        f"\n`{ONNX}` maps `images`, uint8 [batch, {SIZE}, {SIZE}], light on dark, to `logits`, "
        "float32 [batch, 10].\nIt prepares the pixels itself."
    )


def read_bundle(path: str, device: torch.device) -> Bundle:
    """Read a bundle, its model on a device.

    Nothing of the bundle is executed but a class that its architecture names, which must be one of
    this package or allowed by the environment variable MNIST_SWEEP_TARGETS. Raises BundleError,
    RecordError for weights that do not fit, and ConfigError for an architecture that may not or
    cannot be built.
    """
    folder = Path(path)
    description = _read_description(folder)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BundleError(f"bundle={path} has no {WEIGHTS}; export the run again")
    if _digest(weights) != description["weights_sha256"]:
        raise BundleError(f"{weights} is damaged: its SHA-256 is not the one in {DESCRIPTION}")
    node = description["architecture"]
    # Before anything of it is allocated: a mistyped width can be a thousand times too wide.
    shapes, parameters = count_model(node, description["name"])
    if parameters != description["parameters"]:
        raise BundleError(
            f"bundle={path} is damaged: its architecture has {parameters:,} parameters, not the "
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


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise BundleError(f"bundle={folder} is not a bundle: it has no {DESCRIPTION}")
    try:
        description = parse_json(path.read_text(encoding="utf-8"))
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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
