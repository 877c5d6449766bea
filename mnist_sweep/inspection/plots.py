"""Figures of networks and their errors, drawn by matplotlib without a screen."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from mnist_sweep.files import replacing

# Blue to orange through white tells signs apart for colour-blind eyes too; viridis orders.
SIGNED, ORDERED = "PuOr", "viridis"
EXACT: Any = {"interpolation": "none"}  # every value as it is, and in an SVG no larger
INK = "#1f2933"  # pages put their own colour in its place
ON_ORANGE = "#101820"  # on a cell, which has its colour on every page


@contextmanager
def anybodys_texts() -> Iterator[None]:
    """Draw texts as they are, as a context around drawing and saving, or as a decorator.

    Names may be anybody's: a dollar sign in one begins no formula, and a letter that matplotlib's
    font lacks is a box, of which nothing is said.
    """
    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def save(figure: Figure, path: Path, dots: int) -> None:
    """Write a figure as a PNG, in the place of what is there; `dots` an inch."""
    with anybodys_texts(), replacing(path) as new:
        figure.savefig(new, dpi=dots, format="png")


@anybodys_texts()
def confusion(counts: Tensor, title: str) -> Figure:
    """Counts [K, K], rows the images' own labels: errors are coloured, hits only written."""
    matrix = counts.numpy()
    errors = matrix.astype(float)
    np.fill_diagonal(errors, np.nan)
    most = max(1.0, np.nanmax(errors))
    errors[errors == 0] = np.nan  # no colour: a page's own shows
    figure = Figure(figsize=(6.4, 5.8), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(errors, cmap="Oranges", **EXACT, vmin=0, vmax=most)
    for row, column in np.ndindex(*matrix.shape):
        if matrix[row, column]:
            dark = row != column and errors[row, column] > 0.6 * most
            axes.text(
                column,
                row,
                f"{matrix[row, column]:,}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else (INK if row == column else ON_ORANGE),
                weight="bold" if row == column else "normal",
            )
    axes.set(
        title=title,
        xlabel="predicted",
        ylabel="label",
        xticks=range(len(matrix)),
        yticks=range(len(matrix)),
    )
    label = "images taken for another digit"
    figure.colorbar(shown, ax=axes, label=label, shrink=0.8, ticks=MaxNLocator(integer=True))
    return figure


@anybodys_texts()
def gallery(images: Tensor, captions: Sequence[str], title: str) -> Figure:
    """Images uint8 [N, 28, 28], each over its caption."""
    columns = min(8, max(1, len(captions)))
    rows = max(1, math.ceil(len(captions) / columns))
    figure = Figure(figsize=(1.25 * columns, 1.6 * rows + 0.5), layout="constrained")
    figure.suptitle(title)
    for position, axes in enumerate(_grid(figure, rows, columns)):
        axes.axis("off")
        if position < len(captions):
            axes.imshow(images[position].numpy(), cmap="gray", **EXACT, vmin=0, vmax=255)
            axes.set_title(captions[position], fontsize=8)
    return figure


@anybodys_texts()
def filters(name: str, weight: Tensor) -> Figure:
    """A convolution's weights [out, in, height, width], on a scale that is symmetric about zero.

    Filters of several input channels are averaged over them. Filters of one pixel have no shape:
    they are drawn as the matrix [out, in] that they are.
    """
    outputs, inputs, height, width = weight.shape
    if height == width == 1:
        matrix = weight[:, :, 0, 0].numpy()
        limit = float(np.abs(matrix).max()) or 1.0
        figure = Figure(figsize=(2.5 + 0.14 * inputs, 1.4 + 0.14 * outputs), layout="constrained")
        axes = figure.subplots()
        shown = axes.imshow(matrix, cmap=SIGNED, **EXACT, vmin=-limit, vmax=limit)
        axes.set(title=f"{name}: 1x1", xlabel="input channel", ylabel="output channel")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.colorbar(shown, ax=axes)
        return figure
    averaged = weight.mean(1)
    how = "" if inputs == 1 else f", mean of {inputs} input channels"
    return _tiles(averaged, f"{name}: {height}x{width}{how}", SIGNED, signed=True)


@anybodys_texts()
def maps(name: str, output: Tensor) -> Figure:
    """A module's output [channels, height, width], each channel on a scale of its own."""
    return _tiles(output, f"{name}: {output.shape[1]}x{output.shape[2]}", ORDERED, signed=False)


def _tiles(pictures: Tensor, title: str, colours: str, signed: bool) -> Figure:
    count = len(pictures)
    columns = min(8, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(max(6.0, columns), rows + 0.6), layout="constrained")
    limit = float(pictures.abs().max()) or 1.0
    low, high = (-limit, limit) if signed else (None, None)
    if signed:
        title += f"; from brown (-{limit:.2g}) over white (0) to violet (+{limit:.2g})"
    figure.suptitle(title, fontsize=10)
    for position, axes in enumerate(_grid(figure, rows, columns)):
        axes.axis("off")
        if position < count:
            axes.imshow(pictures[position].numpy(), cmap=colours, **EXACT, vmin=low, vmax=high)
    return figure


def _grid(figure: Figure, rows: int, columns: int) -> list[Axes]:
    return list(figure.subplots(rows, columns, squeeze=False).flat)
