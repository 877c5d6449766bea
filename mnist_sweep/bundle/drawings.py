"""Any picture of a digit as an MNIST image: grey, light on dark, 28x28, in MNIST's place.

A picture of something else is not moved: other data sets have places of their own.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_sweep.bundle.brightness import read_brightness
from mnist_sweep.bundle.photographs import find_on_photograph, is_photograph
from mnist_sweep.bundle.strokes import FAINTEST, INK, Grey, border, find_strokes
from mnist_sweep.data.sources import SIZE, DataError

# MNIST's digits were scaled to fit a box of this size, and placed with their centre of mass in the
# middle of the image (http://yann.lecun.com/exdb/mnist/).
BOX = 20
# Of all 70,000, counted: the longer side of the box around what is not 0 is 19 or 20, the centre of
# mass from 13.48 to 14.50 either way (of pixels 0 to 27), the brightest pixel 254 or 255, and at
# least 94% of the border exactly 0.
MIDDLE, MNIST_ASTRAY, MNIST_SIDES = 14.0, 0.55, (19, 20)
BRIGHTEST, CLEAN = 250 / 255, 0.9
# Of strokes that were taken off their paper, and may have gone through a lossy format.
ASTRAY, SIDES = 1.25, (17, 21)

POLARITIES = ("light on dark", "dark on light")


@dataclass(frozen=True)
class Ink:
    """What a picture's ink was like, before it was moved and made smaller.

    `contrast`: of the strongest stroke with its paper, of the range from black to white; `cover`:
    the share of the picture that it covers.
    """

    contrast: float
    cover: float
    at_border: bool


@dataclass(frozen=True)
class Drawing:
    """`pixels`: uint8 [28, 28], light on dark; `note` says what was made of the picture.

    `ink` is None of what is no digit.
    """

    pixels: np.ndarray
    note: str
    ink: Ink | None = None


def read_drawing(path: Path, digits: bool = True) -> Drawing:
    """Read a picture of one digit, in any format and size that Pillow reads.

    A picture that is MNIST's already keeps every pixel; one of 28x28 that is placed as those are
    loses its paper, and stays where it is. Of what is not `digits`, one of 28x28 keeps every pixel,
    and any other is made as small as that whole. Raises DataError, naming the file, for what is no
    picture, and for one that shows nothing.
    """
    grey, size, remarks = read_brightness(path)
    read = _digit(grey) if digits else _whole(grey)
    if read is None:
        raise DataError(
            f"{path} shows nothing: all of it is about as bright as its border, or noise"
        )
    note = "; ".join([f"{size[0]}x{size[1]}, {read.notes[0]}", *remarks, *read.notes[1:]])
    return Drawing(read.pixels, note, read.ink)


class _Made(NamedTuple):
    """What was made of brightness; `notes` begin with its polarity."""

    pixels: np.ndarray
    notes: list[str]
    ink: Ink | None = None


def _about(ink: Grey, contrast: float) -> Ink:
    return Ink(contrast, float((ink > 0.5).mean()), bool(border(ink).max() > 0.5))


def _digit(grey: Grey) -> _Made | None:
    """Return brightness as an MNIST image; None where it shows nothing."""
    found = find_on_photograph(grey) if is_photograph(grey) else find_strokes(grey)
    if found is None:
        return None
    about = _about(found.ink, found.contrast)
    notes = [POLARITIES[found.dark_on_light]]
    own = 1 - grey if found.dark_on_light else grey
    if grey.shape != (SIZE, SIZE):
        return _Made(_placed(found.ink), notes, about)
    if _is_mnists(own):
        # Of MNIST's own, 0.9% touch the border: nothing was cut off there.
        return _Made(_bytes(own), notes, replace(about, at_border=False))
    if _is_placed(found.ink, INK, SIDES, ASTRAY):
        return _Made(_bytes(found.ink), notes, about)
    return _Made(_placed(found.ink), [*notes, "moved to where MNIST's digits are"], about)


def _whole(grey: Grey) -> _Made | None:
    """Return all of a picture as an image, what it shows in its place; None where it shows nothing.

    What fills a picture has no strokes: the border alone tells what is paper.
    """
    if float(np.ptp(grey)) < FAINTEST:
        return None
    dark_on_light = float(np.median(border(grey))) > 0.5
    own = 1 - grey if dark_on_light else grey
    notes = [POLARITIES[dark_on_light]]
    if grey.shape == (SIZE, SIZE):
        return _Made(_bytes(own), notes)
    paper = float(np.median(border(own)))
    side = max(own.shape)
    start = [(side - length) // 2 for length in own.shape]
    square = np.zeros((side, side), np.float32)  # in the middle where the picture is none
    square[start[0] : start[0] + own.shape[0], start[1] : start[1] + own.shape[1]] = np.clip(
        (own - paper) / (1 - paper), 0, 1
    )
    way = Image.Resampling.BOX if side > SIZE else Image.Resampling.BICUBIC
    small = Image.fromarray(square).resize((SIZE, SIZE), way)
    return _Made(_bytes(np.asarray(small, np.float64)), notes)


def _extent(ink: Grey, least: float = INK) -> tuple[slice, slice]:
    """Return the rows and columns of the box around what is above `least`."""
    rows, columns = np.nonzero(ink > least)
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def _centre(ink: Grey) -> tuple[float, float]:
    """Return the row and the column of the centre of mass."""
    row, column = ndimage.center_of_mass(ink)
    return float(row), float(column)


def _is_mnists(own: Grey) -> bool:
    """Whether brightness, light on dark, is what MNIST's images all are."""
    is_clean = own.max() >= BRIGHTEST and float((border(own) == 0).mean()) >= CLEAN
    return bool(is_clean) and _is_placed(own, 0, MNIST_SIDES, MNIST_ASTRAY)


def _is_placed(ink: Grey, least: float, sides: tuple[int, int], astray: float) -> bool:
    """Whether what is above `least` has a box of such a side, and its middle not farther astray."""
    strokes = np.where(ink > least, ink, 0)
    return sides[0] <= max(ink[_extent(ink, least)].shape) <= sides[1] and all(
        abs(each - MIDDLE) <= astray for each in _centre(strokes)
    )


def _placed(ink: Grey) -> np.ndarray:
    """Scale the strokes into the box and put their centre of mass in the middle."""
    cut = ink[_extent(ink)]
    scale = BOX / max(cut.shape)
    size = [max(1, round(length * scale)) for length in cut.shape]
    picture = Image.fromarray(cut.astype(np.float32))
    way = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = np.clip(np.asarray(picture.resize((size[1], size[0]), way), np.float64), 0, None)
    small = small / small.max()  # a thin line has become a faint one
    start = [
        min(max(round(MIDDLE - centre), 0), SIZE - length)
        for centre, length in zip(_centre(small), size, strict=True)
    ]
    placed = np.zeros((SIZE, SIZE))
    placed[start[0] : start[0] + size[0], start[1] : start[1] + size[1]] = small
    return _bytes(placed)


def _bytes(brightness: Grey) -> np.ndarray:
    pixels: np.ndarray = np.clip(np.rint(brightness * 255), 0, 255).astype(np.uint8)
    return pixels
