"""A trained network as a function of images, from a run directory or a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_sweep.bundle.bundle import LABELS, describe
from mnist_sweep.config import ConfigError
from mnist_sweep.data.batches import EVALUATION_BATCH
from mnist_sweep.data.sources import SIZE
from mnist_sweep.errors import UserError
from mnist_sweep.files import check_folder
from mnist_sweep.models.cost import count_parameters
from mnist_sweep.run.exported import DESCRIPTION, Bundle, read_bundle
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.machine import choose_device
from mnist_sweep.text import shortened

SHAPES = f"({SIZE}, {SIZE}), (n, {SIZE}, {SIZE}) or (n, 1, {SIZE}, {SIZE})"


class ImagesError(UserError):
    """Images that a model does not take: another shape, kind or range."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, with what happens to pixels before it.

    `name`: what the user calls it; `parameters`: its count; `labels`: what its outputs mean, in
    their order; `path`: where it was read; `device`: where it is.
    """

    name: str
    parameters: int
    labels: tuple[str, ...]
    path: Path
    device: torch.device
    bundle: Bundle

    def __call__(self, images: Any) -> Any:
        """Return each label's probability: float32, shape (n, labels), each row adding up to 1.

        `images`: light on dark as MNIST's are, of shape (28, 28), (n, 28, 28) or (n, 1, 28, 28), in
        NumPy, torch, or what `numpy.asarray` takes; one image makes n = 1. Whole numbers are from 0
        to 255, fractions from 0 to 1; they are normalized here. A torch tensor is answered by a
        tensor on the CPU, all else by an array. Raises ImagesError.
        """
        pixels = as_pixels(images)
        size = EVALUATION_BATCH[self.device.type]
        parts = [self.bundle.probabilities(part) for part in torch.split(pixels, size)]
        found = torch.cat(parts) if len(pixels) else torch.empty(0, len(self.labels))
        return found if isinstance(images, Tensor) else found.numpy()

    def predict(self, images: Any) -> Any:
        """Return the most probable label's position in `labels`: int64, shape (n,).

        Of MNIST that is the digit. `images` and errors are as of a call.
        """
        return self(images).argmax(1)


def load(path: str | Path, device: str = "auto") -> Model:
    """Read a trained model from a run directory, or from a bundle that `export` wrote.

    `device`: auto (a GPU where there is one), cpu or cuda. Nothing of the folder is executed; its
    model must be one of this package, or allowed by MNIST_SWEEP_TARGETS.

    Raises UserError, in one line: ConfigError where the folder is neither, FileError where it
    cannot be looked into, RecordError or BundleError where it is damaged or has kept no weights,
    DeviceError without that device.
    """
    check_folder("path", path)
    folder, on = Path(path), choose_device(device)
    if (folder / DESCRIPTION).is_file():
        bundle = read_bundle(str(folder), on, "path")
    elif (folder / ".hydra").is_dir():
        trained = load_trained(str(folder), on, "path")
        bundle = Bundle(trained.model, trained.pipeline, LABELS, describe(trained))
    else:
        raise ConfigError(
            f"path={folder} is neither a run directory (it has no .hydra) nor a bundle (it has no "
            f"{DESCRIPTION})"
        )
    count = count_parameters(bundle.model)
    return Model(bundle.description["name"], count, bundle.labels, folder, on, bundle)


def as_pixels(images: Any) -> Tensor:
    """Return images as [n, 28, 28] from 0 to 255: uint8, or float32 where they were fractions.

    Raises ImagesError.
    """
    pixels = images.detach().cpu() if isinstance(images, Tensor) else _from_numpy(images)
    if pixels.is_complex():
        raise ImagesError("images must be real numbers, but are complex")
    if pixels.ndim == 2:
        pixels = pixels.unsqueeze(0)
    if pixels.ndim == 4 and pixels.shape[1] == 1:
        pixels = pixels.squeeze(1)
    if pixels.ndim != 3 or pixels.shape[1:] != (SIZE, SIZE):
        raise ImagesError(
            f"images must be of shape {SHAPES}, but got {tuple(images_shape(images))}"
        )
    if pixels.dtype == torch.bool:
        return pixels.to(torch.uint8) * 255
    if pixels.dtype == torch.uint8 or not pixels.numel():
        return pixels
    if not pixels.dtype.is_signed:  # torch has no minimum of uint16 and wider
        pixels = pixels.to(torch.int64)
    low, high = pixels.min().item(), pixels.max().item()
    if pixels.is_floating_point():
        if not 0 <= low <= high <= 1:  # also where one is not a number
            raise ImagesError(
                f"fractions must be from 0 to 1, but are from {low:g} to {high:g}: divide by 255, "
                "or give whole numbers (images.astype('uint8'))"
            )
        return pixels.float() * 255
    if not 0 <= low <= high <= 255:
        raise ImagesError(f"whole numbers must be from 0 to 255, but are from {low} to {high}")
    return pixels.to(torch.uint8)


def _from_numpy(images: Any) -> Tensor:
    try:
        return torch.from_numpy(np.array(images, order="C"))  # a copy, which may be written to
    except (TypeError, ValueError, RuntimeError) as error:
        raise ImagesError(
            f"images must be numbers of shape {SHAPES}, but got {type(images).__name__}: "
            f"{shortened(error)}"
        ) from error


def images_shape(images: Any) -> tuple[int, ...]:
    """Return the shape of images as they were given."""
    return tuple(images.shape if isinstance(images, Tensor) else np.shape(images))
