"""What runs did epoch by epoch: the objective of many, the learning rates and losses of few."""

import math
from pathlib import Path
from typing import Any

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mnist_sweep.inspection.plots import INK
from mnist_sweep.report.drawing import (
    BLUE,
    DISTINCT,
    GREY,
    TOP,
    axes_of,
    legend,
    of_trials,
    plain_log_ticks,
    style,
    whole,
)
from mnist_sweep.report.objective_values import axis_label, in_percent
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus

ACCURACIES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LOSSES, HITS = ("train_loss", "val_loss"), ("train_acc", "val_acc")
MOST_CURVES = 400  # pruned trials' curves: more of them are a grey area either way


def curves(record: StudyRecord) -> Figure | None:
    """Draw the first objective by epoch; a curve of one epoch is a point."""
    shown = [row for row in record.rows if row.values or row.status == TrialStatus.PRUNED]
    curve_of = {row.number: _finite(row) for row in shown}
    having = [row for row in shown if curve_of[row.number]]
    if not having:
        return None
    figure, axes = axes_of()
    top = [row for row in record.best[:TOP] if curve_of[row.number]]
    best = {row.number for row in top}
    pruned = [row for row in having if row.status == TrialStatus.PRUNED][:MOST_CURVES]
    others = [row for row in having if row.values and row.number not in best][:MOST_CURVES]
    for rows, colour, marker, label in (
        (pruned, GREY, "x", "pruned"),
        (others, BLUE, "o", "complete"),
    ):
        if rows:
            points = [curve_of[row.number] for row in rows]
            lines = LineCollection(points, colors=colour, linewidths=0.8, alpha=0.6)
            axes.add_collection(lines)
            of_trials(lines, rows)
            ends = [line[-1] for line in points]
            (drawn,) = axes.plot(
                *zip(*ends, strict=True), marker, color=colour, markersize=4, label=label
            )
            of_trials(drawn, rows)
    for row, colour in zip(top, DISTINCT, strict=False):
        epochs, values = zip(*curve_of[row.number], strict=True)
        label = f"trial {row.number}"
        (line,) = axes.plot(epochs, values, color=colour, linewidth=1.8, label=label)
        of_trials(line, [row])
        (end,) = axes.plot(epochs[-1:], values[-1:], "o", color=colour, markersize=4)
        of_trials(end, [row])
    axes.autoscale_view()
    if in_percent(record):
        # As much room between 90% and 99% as between 99% and 99.9%.
        seen = [value for row in having for _, value in curve_of[row.number]]
        axes.set_yscale("logit", nonpositive="clip")
        axes.set_yticks(ACCURACIES, [f"{100 * accuracy:g}" for accuracy in ACCURACIES])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(max(0.05, min(seen) * 0.9), min(1 - 0.5 * (1 - max(seen)), 0.9999))
    _steps(axes, max(curve_of[row.number][-1][0] for row in having))
    axes.set(xlabel=record.step, ylabel=axis_label(record))
    legend(axes, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _finite(row: Row) -> list[tuple[int, float]]:
    """Return a trial's curve in its order, without values that have no place along an axis."""
    return [(step, value) for step, value in sorted(row.curve.items()) if math.isfinite(value)]


def _steps(axes: Any, last: int) -> None:
    """Mark whole epochs, with room around where there is only one."""
    whole(axes.xaxis)
    if last <= 1:
        axes.set_xlim(last - 0.5, last + 0.5)


def rates(record: StudyRecord) -> Figure | None:
    """Draw the learning rates of the best, where their run directories are here."""
    if not record.ours:  # whose files of that name are of another kind
        return None
    lines = {row.number: _recorded_rates(row) for row in record.best[:TOP]}
    lines = {number: line for number, line in lines.items() if line}
    if not lines:
        return None
    figure, axes = axes_of(7.0, 3.2)
    for (number, line), colour in zip(lines.items(), DISTINCT, strict=False):
        epochs, values = zip(*line, strict=True)
        axes.step(epochs, values, where="mid", color=colour, linewidth=1.6, label=f"trial {number}")
        if len(epochs) == 1:
            axes.plot(epochs, values, "o", color=colour, markersize=4)
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    _steps(axes, max(line[-1][0] for line in lines.values()))
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
        figure.subplots(1, 2), ((LOSSES, "loss"), (HITS, "accuracy in %")), strict=True
    ):
        style(axes)
        times = 100 if figures is HITS else 1
        for key, colour in zip(figures, (GREY, BLUE), strict=True):
            values = [
                (line["epoch"], times * line[key]) for line in lines if line.get(key) is not None
            ]
            if values:
                label = "train" if key.startswith("train") else "validation"
                axes.plot(*zip(*values, strict=True), "o-", color=colour, markersize=3, label=label)
        _steps(axes, max(line["epoch"] for line in lines))
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
