"""What is drawn on a picture, apart from its paper: of any brightness, noise and light.

Everything here is in numbers: `grey` is brightness in [0, 1], float64 [H, W].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Grey = npt.NDArray[np.float64]

INK = 0.25  # of the strongest stroke: what is fainter is paper, or a camera's noise
FAINTEST = 0.1  # of the range from black to white: a picture of less contrast shows nothing
UNEVEN = 0.15  # of the contrast: paper that differs by more along the border is unevenly lit
STROKE = 0.7  # of the contrast: more than the paper's own differences, but for deep shadows
FILLED = 1.0  # of a part of the border: a stroke fills less of it than paper does
WIDEST = 0.35  # of the picture's longer side: no stroke is wider, and no shadow narrower
NOISY = 0.015  # standard deviations of brightness: less is not worth a filter
ENOUGH = 40  # pixels a side, to see how a picture is lit
FLOOR = 2.0  # standard deviations of noise that count as paper
SPECK = 0.06  # of the largest stroke's ink: what has less is dust


@dataclass(frozen=True)
class Strokes:
    """`ink`: how much of it, 0 for paper to 1 for the strongest stroke, float64 [H, W].

    `contrast`: by how much that stroke differs from its paper, of the range from black to white.
    """

    ink: Grey
    dark_on_light: bool
    contrast: float


def find_strokes(grey: Grey) -> Strokes | None:
    """Take the paper off: its brightness, its noise, and light that falls on it unevenly.

    Returns None where nothing is left, which is fainter than paper's own differences.
    """
    noise = noise_of(grey)
    paper = float(np.median(border(grey)))
    away = grey - paper
    dark_on_light = bool((away**3).sum() < 0)
    contrast = float(np.abs(away).max())
    if _unevenness(away) > max(UNEVEN * contrast, 6 * noise, 2 / 255):
        dark_on_light, away = _evenly_lit(grey, noise)
    ink = np.clip(-away if dark_on_light else away, 0, None)
    strongest = _strongest(ink, noise)
    floor = FLOOR * noise if noise > NOISY else 0.0
    if strongest - floor < max(FAINTEST, 3 * noise):
        return None
    ink = np.clip((ink - floor) / (strongest - floor), 0, 1)
    return Strokes(_without_specks(ink), dark_on_light, strongest)


def border(grey: Grey) -> Grey:
    """Return the outermost pixels, each once in a row."""
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def noise_of(grey: Grey) -> float:
    """Return the noise's standard deviation, 0 for a picture that a program drew.

    Strokes and light have little part in the differences of differences (Immerkaer, "Fast noise
    variance estimation", Computer Vision and Image Understanding 64(2), 1996; the median of them,
    since strokes are few).
    """
    if min(grey.shape) < 3:
        return 0.0
    second = np.diff(np.diff(grey, 2, 0), 2, 1)
    return float(np.median(np.abs(second))) / (0.6745 * 6)


def _strongest(ink: Grey, noise: float) -> float:
    """Return the ink of the strongest stroke, which noise has made seem stronger."""
    return float(ink.max()) if noise <= NOISY else float(ndimage.uniform_filter(ink, 2).max())


def _unevenness(away: Grey) -> float:
    """Return by how much the paper's brightness differs along the border.

    Between thirds of its sides, but for those by which strokes pass; of each third the brighter
    and the darker end, since what touches it is only one of the two.
    """
    strong, longer = np.abs(away) > STROKE * np.abs(away).max(), max(away.shape)
    deep, deeper = (max(least, round(part * longer)) for least, part in ((1, 0.04), (4, 0.2)))
    ends = [
        np.percentile(third[:deep], (20, 80))
        for turned in range(4)
        for third, stroke in zip(
            np.array_split(np.rot90(away, turned), 3, axis=1),
            np.array_split(np.rot90(strong, turned), 3, axis=1),
            strict=True,
        )
        if third.size and not 0 < stroke[:deeper].mean() < FILLED
    ]
    return float(np.ptp(ends, axis=0).min()) if ends else 0.0


def _evenly_lit(grey: Grey, noise: float) -> tuple[bool, Grey]:
    """Return whether strokes are darker than their surroundings, and by how much each pixel is.

    A stroke is what a closing (of dark strokes; of light ones an opening) with a square wider than
    any stroke fills; a shadow is wider still, and stays.
    """
    smooth = ndimage.median_filter(grey, 3) if noise > NOISY else grey
    dark_on_light = bool((_bent(smooth) ** 3).sum() < 0)
    side = 2 * round(WIDEST * max(grey.shape) / 2) + 1
    fill = ndimage.grey_closing if dark_on_light else ndimage.grey_opening
    paper = fill(smooth, size=(side, side), mode="nearest")
    if not dark_on_light:
        return False, grey - paper
    # Ink takes a share of the light that falls on it, in a shadow as out of it.
    return True, (grey - paper) * (paper.max() / np.maximum(paper, 0.1))


def _bent(grey: Grey) -> Grey:
    """Return how far pixels are from the quadratic surface that most of them lie near.

    Of some of them, evenly taken: that is enough to tell strokes from paper.
    """
    step = max(1, max(grey.shape) // ENOUGH)
    values = grey[::step, ::step]
    rows, columns = (np.linspace(-1, 1, length) for length in values.shape)
    y, x = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
    terms = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2], 1)
    away: Grey = values.ravel() - np.median(values)
    for _ in range(10):  # least absolute differences, by weights
        weights = 1 / np.maximum(np.abs(away), 1e-3)
        weighted = terms.T * weights
        solution = np.linalg.lstsq(weighted @ terms, weighted @ values.ravel(), rcond=None)[0]
        away = values.ravel() - terms @ solution
    return away


def _without_specks(ink: Grey) -> Grey:
    """Return the ink without what is far smaller than the strokes, as dust and noise are."""
    labels, count = ndimage.label(ink > INK, structure=np.ones((3, 3)))
    if count < 2:
        return ink
    numbers = np.arange(1, count + 1)
    amounts = ndimage.sum_labels(ink, labels, numbers)
    kept = np.isin(labels, numbers[amounts >= SPECK * amounts.max()])
    specks = ndimage.binary_dilation((labels > 0) & ~kept, iterations=1)
    return np.where(specks & ~ndimage.binary_dilation(kept, iterations=1), 0.0, ink)
