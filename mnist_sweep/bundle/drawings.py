"""Any picture of a digit as an MNIST image: grey, light on dark, 28x28, in MNIST's place.

A picture of something else is not moved: other data sets have places of their own.
"""

import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from mnist_sweep.data.sources import SIZE, DataError
from mnist_sweep.data.photographs import find_on_photograph, is_photograph
from mnist_sweep.data.strokes import FAINTEST, INK, Grey, Strokes, border, find_strokes
from mnist_sweep.errors import reason
from mnist_sweep.text import one_line

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

LARGEST = 512  # pixels a side: of more, so many are made one that the longer side has no more


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
    try:
        if not path.is_file():
            said = "it is not a file" if path.exists() else "there is no such file"
            raise DataError(f"{path} cannot be read as a picture: {said}")
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of broken EXIF data, which is told; of large pictures
            with Image.open(file) as image:
                size, remarks = image.size, _remarks(image)
                grey = _brightness(image, remarks)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        kind = "Pillow does not know its format" if path.stat().st_size else "it is empty"
        raise DataError(f"{path} cannot be read as a picture: {kind}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read as a picture: {reason(error)}") from error
    except Exception as error:  # Pillow's formats have many kinds for what is damaged
        kind = one_line(error) or type(error).__name__
        raise DataError(f"{path} cannot be read as a picture: {kind}") from error
    found = None
    if digits:
        found = find_on_photograph(grey) if is_photograph(grey) else find_strokes(grey)
        read = None if found is None else _digit(grey, found)
    else:
        read = _whole(grey)
    if read is None:
        raise DataError(
            f"{path} shows nothing: all of it is about as bright as its border, or noise"
        )
    pixels, notes = read
    note = "; ".join([f"{size[0]}x{size[1]}, {notes[0]}", *remarks, *notes[1:]])
    return Drawing(pixels, note, None if found is None else _about(found))


def thumbnail(path: Path, side: int) -> Image.Image:
    """Return a picture that `read_drawing` has read, upright, as grey or colours of so many pixels.

    Pixels a side; what is transparent is light grey.
    """
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")
        image.load()
        upright = image
        with suppress(Exception):  # broken EXIF data, as the picture's note says
            upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):
            upright = Image.fromarray(_bytes(_grey(upright)))
        elif upright.mode == "LAB":
            upright = upright.getchannel("L")
        layered = upright.convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", layered.size, (225, 225, 225, 255)), layered)
    shown.thumbnail((side, side))
    return shown.convert("RGB")


def _about(found: Strokes) -> Ink:
    is_ink = found.ink > 0.5
    return Ink(found.contrast, float(is_ink.mean()), bool(border(found.ink).max() > 0.5))


def _digit(grey: Grey, found: Strokes) -> tuple[np.ndarray, list[str]]:
    """Return brightness as an MNIST image, and what was made of it."""
    notes = [POLARITIES[found.dark_on_light]]
    own = 1 - grey if found.dark_on_light else grey
    if grey.shape != (SIZE, SIZE):
        return _placed(found.ink), notes
    if _is_mnists(own):
        return _bytes(own), notes
    if _is_placed(found.ink, INK, SIDES, ASTRAY):
        return _bytes(found.ink), notes
    return _placed(found.ink), [*notes, "moved to where MNIST's digits are"]


def _whole(grey: Grey) -> tuple[np.ndarray, list[str]] | None:
    """Return all of a picture as an image, what it shows left in its place; None for one brightness.

    What fills a picture has no strokes: the border alone tells what is paper.
    """
    if float(np.ptp(grey)) < FAINTEST:
        return None
    dark_on_light = float(np.median(border(grey))) > 0.5
    own = 1 - grey if dark_on_light else grey
    notes = [POLARITIES[dark_on_light]]
    if grey.shape == (SIZE, SIZE):
        return _bytes(own), notes
    paper = float(np.median(border(own)))
    side = max(own.shape)
    start = [(side - length) // 2 for length in own.shape]
    square = np.zeros((side, side), np.float32)  # in the middle where the picture is none
    square[start[0] : start[0] + own.shape[0], start[1] : start[1] + own.shape[1]] = np.clip(
        (own - paper) / (1 - paper), 0, 1
    )
    way = Image.Resampling.BOX if side > SIZE else Image.Resampling.BICUBIC
    small = Image.fromarray(square).resize((SIZE, SIZE), way)
    return _bytes(np.asarray(small, np.float64)), notes


def _remarks(image: Image.Image) -> list[str]:
    """Return what is to be said of a picture beside its size."""
    frames = getattr(image, "n_frames", 1)
    return [f"the first of {frames} frames"] if frames > 1 else []


def _brightness(image: Image.Image, remarks: list[str]) -> Grey:
    """Return a picture's brightness in [0, 1], upright; add what could not be done to `remarks`."""
    image.load()  # what is truncated says so here, and not as broken EXIF data
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # one pixel is none the worse for it, and the kinds are many
        remarks.append("its EXIF data is broken, so it was not turned")
        upright = image
    if 0 in upright.size:
        raise ValueError("it has no pixels")
    grey, alpha = _grey(upright), _alpha(upright)
    times = -(-max(grey.shape) // LARGEST)
    if times > 1:
        grey, alpha = _reduced(grey, times), None if alpha is None else _reduced(alpha, times)
    return grey if alpha is None else _on_paper(grey, alpha)


def _grey(image: Image.Image) -> Grey:
    """Return brightness in [0, 1], [H, W], of any mode."""
    if image.mode.startswith(("I", "F")):  # 16 and 32 bits a pixel
        values = np.asarray(image, np.float64)
        if not np.isfinite(values).all():
            raise ValueError("some of its pixels are not finite numbers")
        values = values - min(float(values.min()), 0.0)
        return values / max(float(values.max()), 1e-12)
    if image.mode == "LAB":
        image = image.getchannel("L")
    elif image.mode != "L":
        image = image.convert("RGBA" if _is_transparent(image) else "RGB").convert("L")
    return np.asarray(image, np.float64) / 255


def _is_transparent(image: Image.Image) -> bool:
    return "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info


def _alpha(image: Image.Image) -> Grey | None:
    """Return opacity in [0, 1], [H, W], where a picture has any."""
    if not _is_transparent(image):
        return None
    if image.mode.startswith(("I", "F")):
        return np.asarray(np.asarray(image) != image.info["transparency"], np.float64)
    return np.asarray(image.convert("RGBA").getchannel("A"), np.float64) / 255


def _reduced(values: Grey, times: int) -> Grey:
    """Return the means of squares of so many pixels a side."""
    small = Image.fromarray(values.astype(np.float32)).reduce(times)
    return np.asarray(small, np.float64)


def _on_paper(drawn: Grey, alpha: Grey) -> Grey:
    """Return brightness without transparency.

    Where most of a picture is opaque, or the opaque part of it has paper of its own, what is
    transparent around that becomes as bright as that paper. Else what is opaque is the ink.
    """
    opaque = alpha > 0.5
    if not opaque.any():
        return np.zeros_like(drawn) if not alpha.any() else alpha
    low, high = np.percentile(drawn[alpha > 0.9], (1, 99)) if (alpha > 0.9).any() else (0, 0)
    rows, columns = np.nonzero(opaque)
    area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    is_sheet = opaque.mean() > 0.5 or (high - low > 2 * FAINTEST and opaque.sum() > 0.5 * area)
    if not is_sheet:
        is_dark = float((drawn * alpha).sum() / alpha.sum()) < 0.5
        return 1 - alpha if is_dark else alpha
    edge = opaque & ~ndimage.binary_erosion(opaque, iterations=2)
    paper = float(np.median(drawn[edge]))
    clear, _ = ndimage.label(np.pad(alpha < 1, 1, constant_values=True))
    around = (clear == clear[0, 0])[1:-1, 1:-1]
    # A hole in a sheet of one colour is a digit that was cut out.
    hole = paper if high - low > 2 * FAINTEST else 1.0 - round(paper)
    return drawn * alpha + (1 - alpha) * np.where(around, paper, hole)


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
