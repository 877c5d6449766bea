"""Any picture of a digit as an MNIST image: grey, light on dark, 28x28, in MNIST's place."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_sweep.data.sources import SIZE, DataError
from mnist_sweep.text import one_line

# MNIST's digits were scaled to fit a box of this size, and placed with their centre of mass in the
# middle of the image (http://yann.lecun.com/exdb/mnist/).
BOX = 20
INK = 0.25  # of the strongest stroke: what is fainter is paper, or a camera's noise
FAINTEST = 0.1  # of the range from black to white: a picture of less contrast shows nothing


@dataclass(frozen=True)
class Drawing:
    """`pixels`: uint8 [28, 28], light on dark; `note` says what was made of the picture."""

    pixels: np.ndarray
    note: str


def read_drawing(path: Path) -> Drawing:
    """Read a picture of one digit, in any format and size that Pillow reads.

    A picture of 28x28 pixels keeps them where they are. Raises DataError, naming the file, for what
    is no picture, and for one that shows nothing.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            grey = _grey(upright)
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture: {one_line(error)}") from error
    height, width = grey.shape
    dark_on_light = bool(np.median(_border(grey)) > 0.5)
    ink = 1 - grey if dark_on_light else grey
    paper = float(np.median(_border(ink)))
    if ink.max() - paper < FAINTEST:
        raise DataError(f"{path} shows nothing: all of it is about as bright as its border")
    note = f"{width}x{height}, {'dark on light' if dark_on_light else 'light on dark'}"
    if (height, width) == (SIZE, SIZE):
        return Drawing(_bytes(ink), note)
    strokes = np.clip((ink - paper) / (ink.max() - paper), 0, 1)
    return Drawing(_placed(strokes), note)


def _grey(image: Image.Image) -> np.ndarray:
    """Return brightness in [0, 1], [H, W], of any mode; what is transparent becomes paper."""
    if image.mode.startswith(("I", "F")):  # 16 and 32 bits a pixel
        values = np.asarray(image, np.float64)
        return values / max(float(values.max()), 1.0)
    if "A" in image.getbands() or "transparency" in image.info:
        coloured = image.convert("RGBA")
        alpha = np.asarray(coloured.getchannel("A"), np.float64) / 255
        drawn = np.asarray(coloured.convert("RGB").convert("L"), np.float64) / 255
        weight = alpha.sum()
        is_dark = weight > 0 and float((drawn * alpha).sum() / weight) < 0.5
        return drawn * alpha + (1 - alpha) * (1.0 if is_dark else 0.0)
    return np.asarray(image.convert("L"), np.float64) / 255


def _border(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _placed(strokes: np.ndarray) -> np.ndarray:
    """Scale the strokes into the box and put their centre of mass in the middle."""
    rows, columns = np.nonzero(strokes > INK)
    cut = strokes[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(cut.shape)
    size = [max(1, round(length * scale)) for length in cut.shape]
    picture = Image.fromarray(cut.astype(np.float32))
    small = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX), np.float64)
    small = small / small.max()  # a thin line has become a faint one
    middle = (SIZE - 1) / 2
    start = []
    for axis, length in enumerate(size):
        along = small.sum(1 - axis)
        centre = float((along * np.arange(length)).sum() / along.sum())
        start.append(min(max(round(middle - centre), 0), SIZE - length))
    placed = np.zeros((SIZE, SIZE))
    placed[start[0] : start[0] + size[0], start[1] : start[1] + size[1]] = small
    return _bytes(placed)


def _bytes(brightness: np.ndarray) -> np.ndarray:
    pixels: np.ndarray = np.clip(np.rint(brightness * 255), 0, 255).astype(np.uint8)
    return pixels
