"""A picture file as brightness: of any format, mode and size that Pillow reads, upright, opaque."""

import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from mnist_sweep.bundle.strokes import FAINTEST, Grey
from mnist_sweep.data.sources import DataError
from mnist_sweep.errors import reason
from mnist_sweep.text import one_line

LARGEST = 512  # pixels a side: of more, so many are made one that the longer side has no more
EPS_IN_DOS = b"\xc5\xd0\xd3\xc6"  # how an EPS file with a preview begins
CLEAR = (225, 225, 225, 255)  # what is shown where a picture is transparent


def read_brightness(path: Path) -> tuple[Grey, tuple[int, int], list[str]]:
    """Return brightness in [0, 1], float64 [H, W], the file's width and height, and remarks.

    Raises DataError, naming the file, for what is no picture.
    """
    try:
        if not path.is_file():
            said = "it is not a file" if path.exists() else "there is no such file"
            raise DataError(f"{path} cannot be read as a picture: {said}")
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of broken EXIF data, which is told; of large pictures
            with Image.open(file, formats=readable()) as image:
                size, remarks = image.size, _remarks(image)
                return _brightness(image, remarks), size, remarks
    except DataError:
        raise
    except UnidentifiedImageError as error:
        kind = _unidentified(path)
        raise DataError(f"{path} cannot be read as a picture: {kind}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read as a picture: {reason(error)}") from error
    except Exception as error:  # Pillow's formats have many kinds for what is damaged
        kind = one_line(error) or type(error).__name__
        raise DataError(f"{path} cannot be read as a picture: {kind}") from error


@lru_cache(maxsize=1)
def readable() -> tuple[str, ...]:
    """Return Pillow's formats whose files are pictures and no programs.

    An EPS file is a PostScript program, which Pillow would have Ghostscript run.
    """
    Image.init()
    return tuple(sorted(Image.OPEN.keys() - {"EPS"}))


def thumbnail(path: Path, side: int) -> Image.Image:
    """Return a picture that `read_brightness` has read, upright, its longer side `side` pixels.

    In colours; what is transparent is light grey.
    """
    with warnings.catch_warnings(), Image.open(path, formats=readable()) as image:
        warnings.simplefilter("ignore")
        image.load()
        upright: Image.Image = image
        with suppress(Exception):  # broken EXIF data, as the picture's note says
            upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):
            upright = Image.fromarray(np.rint(255 * _grey(upright)).astype(np.uint8))
        elif upright.mode == "LAB":
            upright = upright.getchannel("L")
        layered = upright.convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", layered.size, CLEAR), layered).convert("RGB")
    size = [max(1, round(length * side / max(shown.size))) for length in shown.size]
    way = Image.Resampling.NEAREST if max(shown.size) < side else Image.Resampling.BOX
    return shown.resize((size[0], size[1]), way)


def _unidentified(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(4)
    if begin.startswith((b"%!PS", EPS_IN_DOS)):
        return "it is PostScript, a program, and is not run: save it as PNG"
    return "Pillow does not know its format" if begin else "it is empty"


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
