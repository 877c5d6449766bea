"""A study's charts: one drawing each, for the page (SVG) and as a file (PNG)."""

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator
from optuna.distributions import BaseDistribution, CategoricalDistribution

from mnist_sweep.confirm.conclusion import Conclusion, Standing
from mnist_sweep.inspection.plots import INK
from mnist_sweep.report.content import Picture, best_of_each_size
from mnist_sweep.report.effects import unit
from mnist_sweep.report.importance import importances
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus

# Okabe and Ito's colours, which colour-blind eyes tell apart (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, RED, GREEN = "#0072b2", "#e69f00", "#d55e00", "#009e73"
GREY, LINE = "#8a94a0", "#d3d8de"
ACCURACIES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LOSSES, HITS = ("train_loss", "val_loss"), ("train_acc", "val_acc")
TOP = 5  # trials that stand out
DISTINCT = (RED, ORANGE, GREEN, "#cc79a7", "#56b4e9")
MARKED = {
    TrialStatus.PRUNED: (GREY, "|"),
    TrialStatus.REJECTED: (ORANGE, "|"),
    TrialStatus.FAILED: (RED, "x"),
}
MOST_CURVES = 400  # pruned trials' curves: more of them are a grey area either way


def charts(
    record: StudyRecord, confirmed: Sequence[Conclusion] = ()
) -> dict[str, tuple[Picture, Figure]]:
    """Draw what there is to draw, by name, each with what it shows in words."""
    objective = record.objectives[0]
    drawn = {
        "history": (f"{objective} of each trial, and the best so far", _history(record)),
        **{
            f"confirmed-{number}": (
                f"test accuracy of each fresh seed on {conclusion.data}; the mean and its interval",
                _confirmed(conclusion),
            )
            for number, conclusion in enumerate(confirmed, start=1)
        },
        "parameters": (f"{objective} against parameters, with the budget", _parameters(record)),
        "importance": (
            "the share of the variance that each setting explains alone; in grey, what several "
            "explain together; in green, a conditional setting among the trials that have it",
            _bars(record),
        ),
        "slices": (f"{objective} against each setting", _slices(record)),
        "parallel": (f"the settings of each complete trial, by {objective}", _parallel(record)),
        "curves": (f"{objective} by {record.step}; pruned trials in grey", _curves(record)),
        "rates": (f"learning rate by epoch of the best {TOP} trials", _rates(record)),
    }
    return {
        name: (Picture(name, shows), figure)
        for name, (shows, figure) in drawn.items()
        if figure is not None
    }


def svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG to stand in a page, whose colours its ink and its grid take on."""
    buffer = io.StringIO()
    # Text stays text, in the page's font; ids differ from figure to figure, not from day to day.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor").replace(LINE, "var(--line)")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return re.sub(
        r'<svg ([^>]*?)width="[^"]*"',
        r"<svg \1",
        re.sub(r' height="[\d.]+pt"', "", text, count=1),
        count=1,
    )


def axes_of(width: float = 7.0, height: float = 4.0) -> tuple[Figure, Axes]:
    """Return a figure of so many inches, with axes in the report's style."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _style(axes)
    return figure, axes


def _style(axes: Axes) -> None:
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    for item in (axes.xaxis.label, axes.yaxis.label, axes.title):
        item.set_color(INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def legend(axes: Axes, **settings: Any) -> None:
    """Add a legend in the report's style; the settings are matplotlib's."""
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, **settings)


def _ranked(record: StudyRecord) -> list[Row]:
    """The complete trials that fit, in the order of the first objective."""
    rows = [row for row in record.rows if row.values and row.feasible]
    sign = 1 if record.directions[0] == "minimize" else -1
    return sorted(rows, key=lambda row: sign * row.values[0])


def _history(record: StudyRecord) -> Figure | None:
    complete = [row for row in record.rows if row.values and row.feasible]
    if not complete:
        return None
    figure, axes = axes_of()
    numbers = [row.number for row in complete]
    values = [row.values[0] for row in complete]
    so_far = np.minimum if record.directions[0] == "minimize" else np.maximum
    axes.plot(numbers, values, "o", color=BLUE, markersize=5, label="complete")
    axes.step(
        numbers,
        so_far.accumulate(values),
        where="post",
        color=RED,
        label="best so far",
        linewidth=1.5,
    )
    for status in MARKED:
        found = [row.number for row in record.rows if row.status == status]
        _mark(axes, found, status)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel=record.objectives[0])
    legend(axes, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _confirmed(conclusion: Conclusion) -> Figure:
    count = len(conclusion.standings)
    figure, axes = axes_of(height=1.2 + 0.45 * count)
    for place, standing in enumerate(conclusion.standings):
        found = standing.test_acc
        if found is None:  # it has no figures on test
            continue
        low, high = max(found.low, 0.0), min(found.high, 1.0)  # cut there, as the table has it
        reach = [[100 * (found.mean - low)], [100 * (high - found.mean)]]
        accuracies = [100 * accuracy for accuracy in standing.accuracies]
        below = [place + 0.22] * len(accuracies)  # beside the interval, which would hide them
        axes.plot(accuracies, below, "o", color=GREY, markersize=5, alpha=0.5)
        axes.errorbar(
            100 * found.mean, place, xerr=reach, fmt="D", color=BLUE, markersize=6, capsize=4
        )
    axes.set_yticks(range(count), [_called(standing) for standing in conclusion.standings])
    axes.set_ylim(count - 0.5, -0.5)
    axes.set(xlabel=f"test accuracy in %, {conclusion.images:,} images")
    return figure


def _called(standing: Standing) -> str:
    dropped = standing.dropped
    return standing.title + (f"\ndropped after {dropped.seeds} seeds" if dropped else "")


def _parameters(record: StudyRecord) -> Figure | None:
    sized = [row for row in record.rows if isinstance(row.attributes.get("parameters"), int)]
    complete = [row for row in sized if row.values and row.feasible]
    if not complete:
        return None
    figure, axes = axes_of()

    def sizes(rows: Sequence[Row]) -> list[int]:
        return [row.attributes["parameters"] for row in rows]

    axes.plot(sizes(complete), [r.values[0] for r in complete], "o", color=BLUE, label="complete")
    front = record.best if len(record.directions) > 1 else best_of_each_size(record)
    front = sorted(front, key=lambda row: row.attributes.get("parameters", 0))
    if len(record.directions) == 1 or record.objectives[1] == "parameters":
        end = max(sizes(complete))
        edge = [(row.attributes["parameters"], row.values[0]) for row in front]
        edge.append((end, edge[-1][1]))  # what is larger and no better is behind the front
        axes.step(*zip(*edge, strict=True), where="post", color=RED, linewidth=1.5, label="front")
    for status in MARKED:
        _mark(axes, sizes([row for row in sized if row.status == status]), status)
    if record.budget is not None:
        axes.axvline(record.budget, color=INK, linestyle="--", linewidth=1, label="budget")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel="parameters", ylabel=record.objectives[0])
    legend(axes, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _mark(axes: Axes, places: Sequence[float], status: TrialStatus) -> None:
    """Mark along the bottom where trials are that have no value of their own to show."""
    if places:
        axes.plot(
            places,
            [0.02] * len(places),
            MARKED[status][1],
            color=MARKED[status][0],
            markersize=7,
            label=status,
            transform=axes.get_xaxis_transform(),
        )


def _bars(record: StudyRecord) -> Figure | None:
    told = [each for each in importances(record) if each.shares]
    if not told:
        return None
    counts = [len(each.shares) + len(each.parts) + 1 for each in told]
    figure = Figure(figsize=(7.0, 0.9 * len(told) + 0.38 * sum(counts)), layout="constrained")
    panels = figure.subplots(len(told), 1, squeeze=False, height_ratios=counts)[:, 0]
    for axes, importance in zip(panels, told, strict=True):
        _style(axes)
        bars = [(name, share, BLUE) for name, share in importance.shares.items()]
        bars.append(("several together", importance.together, GREY))
        bars += [
            (f"{part.setting}\n(of {part.trials} trials)", part.share, GREEN)
            for part in importance.parts
        ]
        names, shares, colours = zip(*reversed(bars), strict=True)
        axes.barh(range(len(names)), shares, color=colours)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set(xlabel=f"share of the variance of {importance.objective} {importance.at}")
    return figure


def _slices(record: StudyRecord) -> Figure | None:
    complete = _ranked(record)
    searched = record.searched
    if not complete or not searched:
        return None
    columns = min(3, len(searched))
    rows = math.ceil(len(searched) / columns)
    figure = Figure(figsize=(3.1 * columns, 2.7 * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for axes, (name, among) in zip(grid, searched.items(), strict=False):
        _style(axes)
        having = [row for row in complete if name in row.settings]
        places = [_place(among, row.settings[name]) for row in having]
        best = {row.number for row in complete[:TOP]}
        colours = [RED if row.number in best else BLUE for row in having]
        axes.scatter(places, [row.values[0] for row in having], s=18, c=colours)
        pruned = [row for row in record.rows if row.status == TrialStatus.PRUNED]
        tried = [_place(among, r.settings[name]) for r in pruned if name in r.settings]
        _mark(axes, tried, TrialStatus.PRUNED)
        if isinstance(among, CategoricalDistribution):
            axes.set_xticks(range(len(among.choices)), [str(choice) for choice in among.choices])
            axes.set_xlim(-0.5, len(among.choices) - 0.5)
        elif getattr(among, "log", False):
            axes.set_xscale("log")
            _plain_log_ticks(axes)
        axes.set_xlabel(name)
    for axes in grid[len(searched) :]:
        axes.set_visible(False)
    for axes in grid[::columns]:
        axes.set_ylabel(record.objectives[0])
    return figure


def _plain_log_ticks(axes: Axes) -> None:
    """Label few places in plain numbers: in less than a decade matplotlib's labels overlap."""
    low, high = axes.get_xlim()
    subs = (1, 2, 5) if high < 200 * low else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=5))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _place(among: BaseDistribution, value: Any) -> float:
    if isinstance(among, CategoricalDistribution):
        return among.to_internal_repr(value)
    return float(value)


def _parallel(record: StudyRecord) -> Figure | None:
    complete = _ranked(record)
    common = {
        name: among
        for name, among in record.searched.items()
        if all(name in row.settings for row in complete)
    }
    if len(complete) < 2 or len(common) < 2:
        return None
    figure, axes = axes_of(7.5, 4.2)
    axes.grid(visible=False)
    values = [row.values[0] for row in complete]
    colours = ScalarMappable(Normalize(min(values), max(values)), "viridis")
    lines = [
        [(n, _share(among, row.settings[name])) for n, (name, among) in enumerate(common.items())]
        for row in complete
    ]
    # The best last, on top of the others.
    axes.add_collection(
        LineCollection(
            lines[::-1], colors=colours.to_rgba(np.array(values[::-1])), linewidths=1.2, alpha=0.85
        )
    )
    for n, among in enumerate(common.values()):
        axes.axvline(n, color=LINE, linewidth=1)
        for at, text in _marks(among):
            axes.text(n + 0.03, at, text, fontsize=8, color=INK, va="center")
    axes.set_xticks(range(len(common)), list(common), rotation=15)
    axes.set_yticks([])
    axes.set(xlim=(-0.2, len(common) - 0.6), ylim=(-0.05, 1.05))
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(colours, ax=axes, label=record.objectives[0])
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.ax.yaxis.label.set_color(INK)
    return figure


def _share(among: Any, value: Any) -> float:
    """Return where a value lies on an axis from 0 to 1, whose ends are the first and the last."""
    if isinstance(among, CategoricalDistribution):
        return among.to_internal_repr(value) / max(1, len(among.choices) - 1)
    return unit(among, value)


def _marks(among: Any) -> list[tuple[float, str]]:
    if isinstance(among, CategoricalDistribution):
        return [(_share(among, choice), str(choice)) for choice in among.choices]
    return [(_share(among, end), f"{end:g}") for end in (among.low, among.high)]


def _curves(record: StudyRecord) -> Figure | None:
    having = [row for row in record.rows if row.curve]
    if not having:
        return None
    figure, axes = axes_of()
    top = record.best[:TOP]
    best = {row.number for row in top}
    pruned = [row for row in having if row.status == TrialStatus.PRUNED][:MOST_CURVES]
    others = [row for row in having if row.values and row.number not in best][:MOST_CURVES]
    for rows, colour, width in ((pruned, GREY, 0.8), (others, BLUE, 0.8)):
        lines = [sorted(row.curve.items()) for row in rows]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, alpha=0.6))
        ends = [line[-1] for line in lines]
        if ends and colour == GREY:
            axes.plot(*zip(*ends, strict=True), "x", color=GREY, markersize=4, label="pruned")
    for row, colour in zip(top, DISTINCT, strict=False):
        if row.curve:
            epochs, values = zip(*sorted(row.curve.items()), strict=True)
            axes.plot(epochs, values, color=colour, linewidth=1.8, label=f"trial {row.number}")
    axes.autoscale_view()
    if record.objectives[0].endswith("acc"):
        # As much room between 90% and 99% as between 99% and 99.9%.
        seen = [value for row in having for value in row.curve.values()]
        axes.set_yscale("logit", nonpositive="clip")
        axes.set_yticks(ACCURACIES, [f"{accuracy:g}" for accuracy in ACCURACIES])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(max(0.05, min(seen) * 0.9), min(1 - 0.5 * (1 - max(seen)), 0.9999))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=record.step, ylabel=record.objectives[0])
    legend(axes, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _rates(record: StudyRecord) -> Figure | None:
    if not record.ours:  # whose files of that name are of another kind
        return None
    lines = {row.number: _recorded_rates(row) for row in record.best[:TOP]}
    lines = {number: line for number, line in lines.items() if line}
    if not lines:
        return None
    figure, axes = axes_of(7.0, 3.2)
    for (number, line), colour in zip(lines.items(), DISTINCT, strict=False):
        epochs, rates = zip(*line, strict=True)
        axes.step(epochs, rates, where="mid", color=colour, linewidth=1.6, label=f"trial {number}")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="learning rate")
    legend(axes, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def learning_curve(row: Row) -> Figure | None:
    """Draw a run's loss and accuracy on both splits; None where its directory is not here."""
    lines = _recorded(row)
    if not lines:
        return None
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    figure.suptitle(f"trial {row.number}, {row.status}", color=INK, fontsize=10)
    for axes, (figures, name) in zip(
        figure.subplots(1, 2), ((LOSSES, "loss"), (HITS, "accuracy")), strict=True
    ):
        _style(axes)
        for key, colour in zip(figures, (GREY, BLUE), strict=True):
            values = [(line["epoch"], line[key]) for line in lines if line.get(key) is not None]
            if values:
                label = "train" if key.startswith("train") else "validation"
                axes.plot(*zip(*values, strict=True), "o-", color=colour, markersize=3, label=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="epoch", ylabel=name)
        legend(axes)
    return figure


def _recorded_rates(row: Row) -> list[tuple[int, float]]:
    return [(line["epoch"], line["lr"]) for line in _recorded(row) if line.get("lr")]


def _recorded(row: Row) -> list[dict[str, Any]]:
    """Return a run's epochs; none where its directory is not here."""
    directory = row.attributes.get("run_directory")
    if not directory:
        return []
    try:
        return RunDirectory(Path(directory)).read_metrics()
    except (OSError, RecordError):
        return []
