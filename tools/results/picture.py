"""Accuracy against parameters: ours with intervals, and the best of others."""

import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_sweep.inspection.plots import anybodys_texts
from mnist_sweep.report.drawing import BLUE, GREY, axes_of, legend, svg
from tools.results.figures import Network, networks

WIDTH, HEIGHT = 7.4, 3.6  # inches
# What the page's ink and grid are in GitHub's two themes.
THEMES = {
    "light": {"currentColor": "#1f2328", "var(--line)": "#d1d9e0"},
    "dark": {"currentColor": "#f0f6fc", "var(--line)": "#3d444d", BLUE: "#56b4e9"},
}


def picture(summaries: Mapping[str, Mapping[str, Any]], theme: str) -> str:
    """Return the picture as an SVG that stands alone, in a theme's colours."""
    drawing = svg(figure(summaries), "results")
    for name, colour in THEMES[theme].items():
        drawing = drawing.replace(name, colour)
    drawing = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 sans-serif", drawing)
    size = f'width="{72 * WIDTH:.0f}" height="{72 * HEIGHT:.0f}"'
    # Another version of it draws the same a little differently.
    return drawing.replace("<svg ", f"<!-- matplotlib {mpl.__version__} -->\n<svg {size} ", 1)


@anybodys_texts()
def figure(summaries: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw all networks; a point of ours is a mean, with its interval and its seeds."""
    drawn, axes = axes_of(WIDTH, HEIGHT)
    others = summaries["others"]["networks"]
    axes.plot(
        [each["parameters"] for each in others],
        [100 * each["test_acc"] for each in others],
        "x",
        color=GREY,
        markersize=7,
        markeredgewidth=2,
        label="best published, one run each",
    )
    _ours(axes, networks(summaries))
    axes.set_xscale("log")
    axes.set_xticks([1_500, 2_000, 4_000, 8_000, 20_000])
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="parameters", ylabel="MNIST test accuracy in %", xlim=(1_300, 24_000))
    legend(axes, loc="lower right")
    return drawn


def _ours(axes: Axes, found: list[Network]) -> None:
    """Draw networks as points with intervals, and beside them each seed faintly."""
    if not found:
        return
    for each in found:
        axes.plot(
            [each.parameters * 1.03] * len(each.accuracies),
            [100 * accuracy for accuracy in each.accuracies],
            "o",
            color=BLUE,
            markersize=3,
            alpha=0.35,
        )
    axes.errorbar(
        [each.parameters for each in found],
        [100 * each.test.mean for each in found],
        yerr=[
            [100 * (each.test.mean - each.test.low) for each in found],
            [100 * (each.test.high - each.test.mean) for each in found],
        ],
        fmt="D",
        color=BLUE,
        markersize=6,
        capsize=4,
        label="ours, mean of fresh seeds, 95%",
    )
