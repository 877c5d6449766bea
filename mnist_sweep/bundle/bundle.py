"""A trained model to take away: a folder that explains itself, and holds no code."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mnist_sweep.bundle.calibration import calibrate
from mnist_sweep.bundle.onnx import write_onnx
from mnist_sweep.bundle.page import page
from mnist_sweep.data.sources import DIGITS, SIZE
from mnist_sweep.files import digest, writing
from mnist_sweep.models.cost import count_parameters
from mnist_sweep.run.build import count_model, multiply_adds_of
from mnist_sweep.run.directory import save_weights
from mnist_sweep.run.exported import CARD, CONFIG, DESCRIPTION, FORMAT, WEIGHTS, BundleError
from mnist_sweep.run.load import Trained

ONNX, PAGE = "model.onnx", "draw.html"  # where they are asked for
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


@dataclass(frozen=True)
class Written:
    """What is in a bundle: its description, and how far the ONNX file's logits are from torch's."""

    description: dict[str, Any]
    difference: float | None


def write_bundle(trained: Trained, to: Path, onnx: bool = False, html: bool = False) -> Written:
    """Write a run's model, with everything that using it needs, to a new or empty folder.

    With `onnx` as ONNX too, with `html` as a page to draw on. Raises BundleError where the folder
    holds something, the page is for other images, or the network's outputs or settings are no
    finite numbers, FileError where it cannot be written, and OnnxError.
    """
    with writing("to", to):
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise BundleError(f"to={to} exists already; name a new or an empty folder")
    data = (trained.result.get("data") or {}).get("name")
    if html and data not in (None, *DIGITS):
        raise BundleError(
            f"html=true is for networks that read digits, and this one was trained on {data}; "
            "leave html=true out"
        )
    with tempfile.TemporaryDirectory() as beside, tempfile.TemporaryDirectory() as hidden:
        # First, and elsewhere: what cannot be written leaves no half of a bundle.
        made = Path(beside)
        description = describe(trained) | {"calibration": calibrate(trained)}
        difference = None
        if onnx or html:
            model = (made if onnx else Path(hidden)) / ONNX
            asked = "onnx=true" if onnx else "html=true"
            difference = write_onnx(
                trained.model, trained.pipeline, model, _properties(description), asked
            )
            if html:
                (made / PAGE).write_text(page(description, model), encoding="utf-8")
        save_weights(trained.model, made / WEIGHTS)
        config = OmegaConf.to_yaml(OmegaConf.create(asdict(trained.run)))
        (made / CONFIG).write_text(config, encoding="utf-8")
        description |= {"weights_sha256": digest(made / WEIGHTS)}
        (made / CARD).write_text(card(description, onnx, html), encoding="utf-8")
        (made / DESCRIPTION).write_text(_as_json(description, trained.path), encoding="utf-8")
        with writing("to", to):
            _copy(made, to)
    return Written(description, difference)


def _as_json(description: Mapping[str, Any], run: Path) -> str:
    try:
        return json.dumps(description, indent=2, allow_nan=False) + "\n"
    except ValueError as error:  # a setting of a model or an optimizer of the user's
        raise BundleError(
            f"run={run} has a setting that is no finite number, which {DESCRIPTION} cannot hold: "
            "train it with a large number instead"
        ) from error


def _properties(description: Mapping[str, Any]) -> dict[str, str]:
    """Return what the ONNX file says of itself, as texts."""
    return {
        "labels": json.dumps(description["labels"]),
        "temperature": repr(description["calibration"]["temperature"]),
    }


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
    multiply_adds = result.get("multiply_adds")
    if multiply_adds is None:  # which takes a second, since it imports what counts them
        multiply_adds = multiply_adds_of(count_model(run.model, trained.name)[0], trained.name)
    return {
        "format": FORMAT,
        "name": trained.name,
        "architecture": run.model,
        "parameters": count_parameters(trained.model),
        "multiply_adds": multiply_adds,
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
        }
        | run.recipe,
        "figures": {key: result[key] for key in FIGURES if result.get(key) is not None},
    }


def card(description: Mapping[str, Any], onnx: bool = False, html: bool = False) -> str:
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
- Probabilities: {_calibration_note(description.get("calibration") or {})}
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
has the weights; `config.yaml` has the whole configuration of the run.{
        _onnx_note() if onnx else ""
    }{_page_note() if html else ""}

## Training

{training}
- kept epoch: {figures.get("best_epoch")} of {figures.get("epochs")}
- commit: {figures.get("git_commit")}, {json.dumps(figures.get("versions"))}
"""


def _onnx_note() -> str:
    return (
        f"\n`{ONNX}` maps `images`, uint8 [batch, {SIZE}, {SIZE}], light on dark, to `logits`, "
        "float32 [batch, 10].\nIt prepares the pixels itself. Its metadata have the labels and the "
        "temperature that the logits are to be divided by."
    )


def _page_note() -> str:
    return (
        f"\n\n`{PAGE}` is a page to draw digits on, with the model in it: open it in a browser. "
        "It needs no network."
    )


def _calibration_note(calibration: Mapping[str, Any]) -> str:
    if calibration.get("images") is None:
        return f"not calibrated: {calibration.get('reason', 'nothing was measured')}."
    error = {part: f"{value:.2%}" for part, value in calibration["ece"].items()}
    return (
        f"softmax(logits / {calibration['temperature']:.4f}). The temperature was fitted on the "
        f"{calibration['images']:,} validation images, where it changes the expected calibration "
        f"error from {error['before']} to {error['after']}."
    )
