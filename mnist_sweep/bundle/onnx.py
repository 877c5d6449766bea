"""A model as ONNX, pixels to logits, for programs that have no torch."""

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from mnist_sweep.data import Pipeline
from mnist_sweep.data.sources import SIZE
from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line

NEEDED = ("onnx", "onnxscript", "onnxruntime")
INPUT, OUTPUT = "images", "logits"
TOLERANCE = 1e-3  # of logits: float32 in another order of additions, some layers deep
CHECKED = (1, 16)  # batches of so many images


class OnnxError(UserError):
    """A package is missing, or the model cannot be written as ONNX, or differs there."""


class FromPixels(nn.Module):
    """A model with what happens to pixels before it; images uint8 [B, 28, 28] -> logits [B, 10]."""

    def __init__(self, model: nn.Module, pipeline: Pipeline) -> None:
        super().__init__()
        self.model, self.pipeline = model, pipeline

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 [B, 28, 28], light on dark -> logits [B, 10]."""
        logits: Tensor = self.model(self.pipeline.prepare(images))
        return logits


def check_packages(asked: str = "onnx=true") -> None:
    """Raise OnnxError, with what to install for what is asked for, where a package is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise OnnxError(f"{asked} needs {', '.join(missing)}: pip install {' '.join(missing)}")


def write_onnx(
    model: nn.Module,
    pipeline: Pipeline,
    path: Path,
    properties: Mapping[str, str] | None = None,
    asked: str = "onnx=true",
) -> float:
    """Write a model in evaluation mode; return how far its logits are from torch's at most.

    `properties` are metadata of the file; `asked`: the setting that an error is to name.

    The file takes uint8 images of any number, and is run on some before it counts as written.
    Raises OnnxError, and leaves no file then.
    """
    check_packages(asked)
    whole = FromPixels(model, pipeline).eval()
    try:
        _export(whole, path)
        if properties:
            _describe(path, properties)
        difference = largest_difference(whole, path)
    except Exception as error:  # torch, onnxscript and onnxruntime have their own kinds
        path.unlink(missing_ok=True)
        reason = one_line(error)[:300]
        raise OnnxError(f"this model cannot be written as ONNX: {reason}") from error
    if not difference <= TOLERANCE:
        path.unlink()
        raise OnnxError(
            f"as ONNX this model's logits differ by up to {difference}, so nothing was written; "
            f"leave {asked} out"
        )
    return difference


def _export(whole: FromPixels, path: Path) -> None:
    """Write a file, without what torch has to say about its own parts."""
    example = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    try:
        chatter.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(
                whole,
                (example,),
                str(path),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        chatter.setLevel(level)


def _describe(path: Path, properties: Mapping[str, str]) -> None:
    import onnx

    file = onnx.load(str(path))
    onnx.helper.set_model_props(file, dict(properties))
    onnx.save(file, str(path))


@torch.inference_mode()
def largest_difference(whole: FromPixels, path: Path) -> float:
    """Run a file and the model that it was written from on noise; compare their logits."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    draw = torch.Generator().manual_seed(0)
    largest = 0.0
    for count in CHECKED:
        images = torch.randint(0, 256, (count, SIZE, SIZE), dtype=torch.uint8, generator=draw)
        (logits,) = session.run([OUTPUT], {INPUT: images.numpy()})
        difference = (torch.from_numpy(logits) - whole(images)).abs().max().item()
        # A NaN is kept: it compares as no larger than anything.
        largest = difference if not difference <= largest else largest
    return largest
