"""What is drawn on a photograph: apart from uneven light, shadows, grain and the paper's own lines.

`grey` is brightness in [0, 1], float64 [H, W]; `ink` is the share of its light that a place lacks
(on dark paper: has in addition), 0 for paper. Lengths are shares of the picture's longer side.
The constants were chosen on 200 made-up photographs (tests/bundle/photographs.py with seed 2), and
measured on 500 others: docs/predict.md.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_sweep.bundle.strokes import FAINTEST, FLOOR, WIDEST, Grey, Strokes, border, noise_of

Mask = npt.NDArray[np.bool_]

SMALLEST = 64  # pixels a side: of fewer, too few are paper to be measured
PLAIN = 0.3  # of a picture: where so much is of one brightness, a program drew it
NOISY = 3 / 255  # standard deviations of brightness: less is not worth a filter
COARSE = 128  # pixels a side: enough to see light by
COARSEST = 64  # pixels a side: enough to tell strokes from paper
AROUND = 0.5  # a neighbourhood that is mostly paper
GRAIN = 4.0  # standard deviations that hide no stroke
ACROSS, ENDS = 0.5, 0.03  # of a side: a line of the paper is as long, and as near to an end of it
LEVELS = 0.3, 0.6  # of the strongest ink: between them lies what parts strokes from paper
LINE_INK = 0.5  # of the strongest ink: lines that are darker cannot be told from strokes
ALONG = 1.4  # of a line's usual ink: it is printed no more unevenly
LINE = 0.2  # of a side: so much of a line is straight, however the sheet lies
LEAN = 8  # degrees by which lines lean at most
STRONG = 75  # percent of the strokes are fainter than what counts as full
EDGE = 0.04  # of the digit's longer side: so soft is a stroke's edge
AT_EDGE = 0.05  # of its ink counts, of what touches the border, where the digit is looked for
PART = 0.08  # of the digit's ink: what has less is no part of it
GAP = 0.3  # of the digit's longer side: what is farther is no part of it
PEN = 0.1  # of the digit's longer side: MNIST's pens are as broad


def is_photograph(grey: Grey) -> bool:
    """Whether no one brightness is that of a good part of a picture, as of what a program drew."""
    if min(grey.shape) < SMALLEST:
        return False
    levels = np.bincount(np.rint(grey * 255).astype(int).ravel(), minlength=256)
    alike = np.convolve(levels, np.ones(3), "same")  # a lossy format changes them by one
    return bool(alike.max() < PLAIN * grey.size)


def find_on_photograph(grey: Grey) -> Strokes | None:
    """Return the strokes of a digit; None where nothing differs from the paper by enough."""
    dark_on_light = is_dark_on_light(grey)
    ink = _lack_of_light(grey, dark_on_light)
    ink = ndimage.gaussian_filter(ink, 0.7) if noise_of(ink) > NOISY else ink
    ink = _without_lines(ink)
    grain = float(np.median(np.abs(ink))) / 0.6745  # most of a photograph is paper
    level = _level(ink, grain)
    if level is None:
        return None
    parts = _digit(ink > level, ink)
    strongest = float(np.percentile(ink[parts], STRONG))
    floor = min(level / 2, FLOOR * grain)
    soft = max(2, round(EDGE * _longer_side(parts)))
    kept = np.where(ndimage.binary_dilation(parts, iterations=soft), ink, 0.0)
    kept = np.clip((kept - floor) / (strongest - floor), 0, 1)
    return Strokes(_broad_enough(kept), dark_on_light, strongest)


def is_dark_on_light(grey: Grey) -> bool:
    """Whether strokes are darker than what is around them, of which most is paper.

    A shadow's edge has as much on its lighter side as on its darker one; strokes have one side.
    """
    small = _smaller(grey, COARSEST)
    side = 2 * round(AROUND * max(small.shape) / 2) + 1
    away = small - ndimage.median_filter(small, side, mode="nearest")
    return bool((away**3).sum() < 0)


def _smaller(grey: Grey, longest: int) -> Grey:
    scale = min(1.0, longest / max(grey.shape))
    size = [max(1, round(length * scale)) for length in grey.shape]
    picture = Image.fromarray(grey.astype(np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX), np.float64)


def _lack_of_light(grey: Grey, dark_on_light: bool) -> Grey:
    """Return ink, paper's own being 0 on average."""
    small = _smaller(grey, COARSE)
    side = 2 * round(WIDEST * max(small.shape) / 2) + 1
    fill = ndimage.grey_closing if dark_on_light else ndimage.grey_opening
    coarse = ndimage.gaussian_filter(fill(small, size=(side, side), mode="nearest"), 1)
    wide = Image.fromarray(coarse.astype(np.float32))
    paper = np.asarray(wide.resize(grey.shape[::-1], Image.Resampling.BICUBIC), np.float64)
    # Ink takes a share of the light that falls on it, in a shadow as out of it. Chalk gives light
    # back: a share of what white paper would.
    lack = 1 - grey / np.maximum(paper, 0.05) if dark_on_light else (grey - paper)
    return np.asarray(lack - np.median(lack), np.float64)


def _level(ink: Grey, grain: float) -> float | None:
    """Return the ink that parts strokes from paper; None where there are no strokes (Otsu 1979)."""
    top = float(np.percentile(ink, 99.9))
    least = max(FAINTEST / 2, GRAIN * grain)
    if top < max(FAINTEST, 1.5 * least):
        return None
    values = ink[ink > min(least, LEVELS[0] * top)]
    counts, edges = np.histogram(values, 64)
    middles = (edges[1:] + edges[:-1]) / 2
    weight, moment = np.cumsum(counts), np.cumsum(counts * middles)
    apart = np.maximum(weight * (weight[-1] - weight), 1)  # the last has nothing above it
    between = (moment[-1] * weight / weight[-1] - moment) ** 2 / apart
    level = float(middles[int(between.argmax())])
    return float(np.clip(level, max(least, LEVELS[0] * top), LEVELS[1] * top))


def _without_lines(ink: Grey) -> Grey:
    """Return the ink without that of straight lines that go across the sheet.

    Lines as dark as the strokes stay: they cannot be told from those.
    """
    most = LINE_INK * float(np.percentile(ink, 99.9))
    return ink - np.maximum(_lines(ink, most), _lines(ink.T, most).T)


def _lines(ink: Grey, most: float) -> Grey:
    """Return the ink of lines from left to right, 0 elsewhere: where a stroke crosses one, its own.

    A line is what an opening with straight segments leaves, of any lean that a sheet may have, and
    what together goes across.
    """
    length = round(LINE * ink.shape[1])
    broad = ndimage.maximum_filter1d(ndimage.uniform_filter1d(ink, 5, axis=1), 3, axis=0)
    columns, rows = np.arange(ink.shape[1]), np.arange(ink.shape[0])[:, None]
    found = np.zeros_like(ink)
    for lean in range(-LEAN, LEAN + 1, 2):
        drop = np.rint(np.tan(np.radians(lean)) * columns).astype(int)
        upright = broad[np.clip(rows + drop, 0, ink.shape[0] - 1), columns]
        least = ndimage.minimum_filter1d(upright, length, axis=1)
        opened = ndimage.maximum_filter1d(least, length, axis=1)
        found = np.maximum(found, opened[np.clip(rows - drop, 0, ink.shape[0] - 1), columns])
    found = np.minimum(found, broad)
    labels, _ = ndimage.label(found > FAINTEST / 3, structure=np.ones((3, 3)))
    lines = np.zeros_like(ink)
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        start, stop, end = place[1].start, place[1].stop, ink.shape[1]
        if stop - start >= ACROSS * end and (start <= ENDS * end or stop >= (1 - ENDS) * end):
            line = labels[place] == number
            usual = float(np.percentile(found[place][line], 20))  # between strokes that cross it
            if usual > most:
                continue
            part = ndimage.binary_dilation(np.pad(line, 2), np.ones((3, 1)))[2:-2, 2:-2]
            lines[place][part] = np.minimum(np.clip(ink[place][part], 0, None), ALONG * usual)
    return lines


def _digit(mask: Mask, ink: Grey) -> Mask:
    """Return the parts of a mask that make a digit: the one with most ink and what lies near it.

    What touches the border is a shadow, a table or another word, unless nothing else is there.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    amounts = ndimage.sum_labels(ink, labels, numbers)
    edge = np.isin(numbers, border(labels))
    inside = np.where(edge, AT_EDGE * amounts, amounts)
    main = int(inside.argmax()) + 1
    rows, columns = ndimage.find_objects(labels)[main - 1]
    near = GAP * max(rows.stop - rows.start, columns.stop - columns.start)
    distance = ndimage.distance_transform_edt(labels != main)
    nearest = ndimage.minimum(distance, labels, numbers)
    parts = (amounts >= PART * amounts[main - 1]) & (nearest <= near) & ~edge
    parts[main - 1] = True
    return np.isin(labels, numbers[parts])


def _broad_enough(ink: Grey) -> Grey:
    """Return strokes as broad as MNIST's, where a pen was finer."""
    mask = ink > 0.5
    if not mask.any():
        return ink
    side = _longer_side(mask)
    # The mean distance to the edge of what is so broad all along is a quarter of that.
    broad = 4 * float(ndimage.distance_transform_edt(mask)[mask].mean()) - 1
    lacking = round((PEN * side - broad) / 2)
    if lacking < 1:
        return ink
    y, x = np.ogrid[-lacking : lacking + 1, -lacking : lacking + 1]
    return np.asarray(ndimage.grey_dilation(ink, footprint=x**2 + y**2 <= lacking**2), np.float64)


def _longer_side(mask: Mask) -> int:
    rows, columns = np.nonzero(mask)
    return int(max(np.ptp(rows), np.ptp(columns))) + 1
