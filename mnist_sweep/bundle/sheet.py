"""What was read of pictures, as pictures: each beside the 28x28 pixels that the network saw."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_sweep.bundle.brightness import thumbnail
from mnist_sweep.bundle.doubts import Reading
from mnist_sweep.bundle.drawings import Drawing
from mnist_sweep.inspection.plots import anybodys_texts
from mnist_sweep.text import ending

ACROSS = 4  # pictures in a row
MOST = 48  # on a sheet: more could not be looked at
SIDE = 256  # pixels of a picture on a sheet
NAME = 24  # letters that fit over a picture
AROUND = 205  # how grey what is around a picture is
DOTS = 110  # an inch
DOUBTFUL = "#a33b00"


@anybodys_texts()
def sheets(read: Sequence[tuple[Path, Drawing, Reading]]) -> list[Figure]:
    """Return the sheets for what was read, MOST pictures on each."""
    return [_sheet(read[at : at + MOST]) for at in range(0, len(read), MOST)]


def _sheet(read: Sequence[tuple[Path, Drawing, Reading]]) -> Figure:
    columns = min(ACROSS, len(read))
    rows = math.ceil(len(read) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.2 * rows))
    figure.subplots_adjust(0.01, 0.15 / rows, 0.99, 1 - 0.2 / rows, wspace=0.06, hspace=0.35)
    grid = figure.subplots(rows, 2 * columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for number, each in enumerate(read):
        row, column = divmod(number, columns)
        _pair(grid[row, 2 * column], grid[row, 2 * column + 1], *each)
    return figure


def _pair(left: Axes, right: Axes, file: Path, drawing: Drawing, found: Reading) -> None:
    """Draw a picture and what the network saw, over them its name and the answer."""
    picture = np.full((SIDE, SIDE, 3), AROUND, np.uint8)
    small = np.asarray(thumbnail(file, SIDE))
    top, start = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    picture[top : top + small.shape[0], start : start + small.shape[1]] = small
    left.imshow(picture)
    right.imshow(drawing.pixels, cmap="gray", vmin=0, vmax=255, interpolation="none")
    left.set_title(ending(_printable(file), NAME), fontsize=8)
    right.set_title(_answer(found), fontsize=11, weight="bold")
    if found.doubts:
        doubts = ", ".join(doubt.says for doubt in found.doubts)
        left.annotate(
            doubts,
            (0, -0.03),
            xycoords="axes fraction",
            va="top",
            color=DOUBTFUL,
            fontsize=9,
        )


def _answer(found: Reading) -> str:
    return "no digit" if found.label is None else f"{found.label}  ({found.probability:.1%})"


def _printable(file: Path) -> str:
    """Return a file's name for a font, whatever bytes it has."""
    text = str(file).encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
