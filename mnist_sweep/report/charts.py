"""A study's charts: one drawing each, for the page (SVG) and as a file (PNG)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_sweep.confirm.conclusion import Conclusion, Standing
from mnist_sweep.inspection.plots import INK, anybodys_texts
from mnist_sweep.report.arms import arms, called
from mnist_sweep.report.blocks import Picture
from mnist_sweep.report.curves import curves, rates
from mnist_sweep.report.drawing import (
    BLUE,
    GREEN,
    GREY,
    LINE,
    MARKED,
    RED,
    TOP,
    axes_of,
    legend,
    mark,
    of_trials,
    style,
    whole,
)
from mnist_sweep.report.importance import importances
from mnist_sweep.report.noise import accuracy, judged
from mnist_sweep.report.objective_values import measure
from mnist_sweep.report.ranking import best_of_each_size, drawable, front, ranked, size_of
from mnist_sweep.report.settings_charts import parallel, slices
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus

SHOWN = 8  # configurations beside each other in the answer
MOST_NAMED = 12  # points of a front


@anybodys_texts()
def charts(
    record: StudyRecord, confirmed: Sequence[Conclusion] = ()
) -> dict[str, tuple[Picture, Figure]]:
    """Draw what there is to draw, by name, each with what it shows in words."""
    objective = record.objectives[0]
    behind = "; pruned trials in grey" if record.counts[TrialStatus.PRUNED] else ""
    drawn = {
        "history": (f"{objective} of each trial, and the best so far", _history(record)),
        **{
            f"confirmed-{number}": (
                f"test accuracy of each fresh seed on {conclusion.data}; the mean and its interval",
                _confirmed(conclusion),
            )
            for number, conclusion in enumerate(confirmed, start=1)
        },
        "arms": (
            f"{objective} of each seed; the mean and its 95% interval over seeds",
            _arms(record),
        ),
        "leaders": (
            "validation accuracy of the leading trials, each one run, with 95% intervals for other "
            "images; shaded, that of the best",
            _leaders(record) if not confirmed else None,
        ),
        "parameters": (
            f"{objective} against parameters"
            + (", with the budget" if record.budget is not None else ""),
            _parameters(record),
        ),
        "importance": (
            "the share of the variance that each setting explains alone; in grey, what several "
            "explain together; in green, a conditional setting among the trials that have it",
            _bars(record),
        ),
        "slices": (
            f"{objective} against each setting, those that matter most first",
            slices(record),
        ),
        "parallel": (
            f"the settings of each trial, by {objective}" + behind,
            parallel(record),
        ),
        "curves": (f"{objective} by {record.step}{behind}", curves(record)),
        "rates": (f"learning rate by epoch of the best {TOP} trials", rates(record)),
    }
    return {
        name: (Picture(name, shows), figure)
        for name, (shows, figure) in drawn.items()
        if figure is not None
    }


def _history(record: StudyRecord) -> Figure | None:
    complete = drawable(record.rows)
    if not complete:
        return None
    figure, axes = axes_of()
    numbers = [row.number for row in complete]
    values = [row.values[0] for row in complete]
    so_far = np.minimum if record.directions[0] == "minimize" else np.maximum
    (points,) = axes.plot(numbers, values, "o", color=BLUE, markersize=5, label="complete")
    of_trials(points, complete)
    axes.step(
        numbers,
        so_far.accumulate(values),
        where="post",
        color=RED,
        label="best so far",
        linewidth=1.5,
    )
    for status in MARKED:
        found = [row for row in record.rows if row.status == status]
        mark(axes, [row.number for row in found], found, status)
    whole(axes.xaxis)
    axes.set_xlabel("trial")
    measure(axes.yaxis, record)
    legend(axes, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0))
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


def _arms(record: StudyRecord) -> Figure | None:
    """Draw each configuration's seeds, where the search had the seed as an axis."""
    found = arms(record)
    if len(found) < 2:
        return None
    figure, axes = axes_of(height=1.2 + 0.45 * len(found))
    for place, arm in enumerate(found):
        around = arm.interval
        values = list(arm.values.values())
        axes.plot(values, [place + 0.22] * len(values), "o", color=GREY, markersize=5, alpha=0.5)
        reach = [[around.mean - around.low], [around.high - around.mean]]
        axes.errorbar(around.mean, place, xerr=reach, fmt="D", color=BLUE, markersize=6, capsize=4)
    axes.set_yticks(range(len(found)), [called(arm) for arm in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    measure(axes.xaxis, record)
    return figure


def _called(standing: Standing) -> str:
    dropped = standing.dropped
    return standing.title + (f"\ndropped after {dropped.seeds} seeds" if dropped else "")


def _leaders(record: StudyRecord) -> Figure | None:
    """Draw the leading accuracies with their intervals; None where they were not ranked by them."""
    known = judged(record) if record.objectives == ["val_acc"] else None
    rows = [row for row in ranked(record) if accuracy(row) is not None][:SHOWN]
    if known is None or not rows:
        return None
    figure, axes = axes_of(width=6.0, height=1.2 + 0.32 * len(rows))
    found = [known.interval(accuracy(row) or 0.0) for row in rows]
    axes.axvspan(100 * found[0].low, 100 * found[0].high, color=LINE, alpha=0.5, linewidth=0)
    means = [100 * each.mean for each in found]
    reach = [
        [100 * (each.mean - each.low) for each in found],
        [100 * (each.high - each.mean) for each in found],
    ]
    places = range(len(rows))
    axes.errorbar(means, places, xerr=reach, fmt="none", ecolor=GREY, capsize=3)
    (points,) = axes.plot(means, places, "D", color=BLUE, markersize=6)
    of_trials(points, rows)
    axes.set_yticks(places, [f"trial {row.number}" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set(xlabel=f"validation accuracy in %, {known.images:,} images")
    return figure


def _parameters(record: StudyRecord) -> Figure | None:
    sized = [row for row in record.rows if size_of(row) is not None]
    complete = drawable(sized)
    if not complete:
        return None
    figure, axes = axes_of()

    def sizes(rows: Sequence[Row]) -> list[int]:
        return [size for row in rows if (size := size_of(row)) is not None]

    (points,) = axes.plot(
        sizes(complete), [r.values[0] for r in complete], "o", color=BLUE, label="complete"
    )
    of_trials(points, complete)
    several = len(record.directions) > 1
    best = front(record) if several else best_of_each_size(record)[::-1]
    best = [row for row in drawable(best) if size_of(row) is not None]
    if not several or record.objectives[1] == "parameters":
        end = max(sizes(complete))
        edge = list(zip(sizes(best), [row.values[0] for row in best], strict=True))
        edge.append((end, edge[-1][1]))  # what is larger and no better is behind the front
        axes.step(*zip(*edge, strict=True), where="post", color=RED, linewidth=1.5, label="front")
    _name(axes, best, sizes(best))
    for status in MARKED:
        found = [row for row in sized if row.status == status]
        mark(axes, sizes(found), found, status)
    if record.budget is not None:
        axes.axvline(record.budget, color=INK, linestyle="--", linewidth=1, label="budget")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("parameters")
    measure(axes.yaxis, record)
    legend(axes, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _name(axes: Axes, rows: Sequence[Row], places: Sequence[int]) -> None:
    """Write the trials' numbers at their points, as many as can be read."""
    every = -(-len(rows) // MOST_NAMED)
    for row, place in list(zip(rows, places, strict=True))[::-1][::every]:
        axes.annotate(
            str(row.number),
            (place, row.values[0]),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )


def _bars(record: StudyRecord) -> Figure | None:
    told = [each for each in importances(record) if each.shares]
    if not told:
        return None
    counts = [len(each.shares) + len(each.parts) + 1 for each in told]
    figure = Figure(figsize=(7.0, 0.9 * len(told) + 0.38 * sum(counts)), layout="constrained")
    panels = figure.subplots(len(told), 1, squeeze=False, height_ratios=counts)[:, 0]
    for axes, importance in zip(panels, told, strict=True):
        style(axes)
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
