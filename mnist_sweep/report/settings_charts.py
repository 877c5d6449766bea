"""Charts of the settings: the objective against each, and all of a trial's together."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from mnist_sweep.confirm.default import DRAWN
from mnist_sweep.inspection.plots import INK
from mnist_sweep.report.drawing import (
    BLUE,
    GREY,
    LINE,
    MARKED,
    RED,
    TOP,
    axes_of,
    mark,
    of_trials,
    plain_log_ticks,
    style,
    whole,
)
from mnist_sweep.report.effects import unit
from mnist_sweep.report.importance import importances
from mnist_sweep.report.names import short_names
from mnist_sweep.report.objective_values import axis_label, measure
from mnist_sweep.report.ranking import drawable, ranked
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus

MOST_AXES = 8  # of parallel coordinates: more cannot be followed
# Viridis without its ends, one of which is lost on a dark page and the other on a white one.
VALUES = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.25, 0.92, 256)))
MOST_LETTERS = 24  # of all labels along a slice, side by side
MOST_BEHIND = 400  # pruned trials behind the others


def by_importance(record: StudyRecord, names: Mapping[str, Any]) -> list[str]:
    """Return settings in the order of what they explain, as far as that is known."""
    known = importances(record)[0]
    shares = {**{part.setting: part.share for part in known.parts}, **known.shares}
    order = list(names)
    return sorted(order, key=lambda name: (-shares.get(name, 0.0), order.index(name)))


def searchable(record: StudyRecord) -> list[str]:
    """Return what was to be searched, by the study's definition, conditional settings too."""
    search = record.definition.get("search") or {}
    settings = search.get("settings") or {}
    found = [name for name, text in settings.items() if DRAWN.match(str(text))]
    for values in (search.get("conditional") or {}).values():
        for added in values.values():
            found += [name for name, text in added.items() if DRAWN.match(str(text))]
    return list(dict.fromkeys(found))


def undrawn(record: StudyRecord) -> list[str]:
    """Return what was to be searched and no complete trial has, so that nothing can be shown."""
    complete = ranked(record)
    names = dict.fromkeys([*record.searched, *searchable(record)])
    return [
        name for name in names if complete and not any(name in row.settings for row in complete)
    ]


def slices(record: StudyRecord) -> Figure | None:
    """Draw the first objective against each setting that complete trials have and that varies."""
    complete = drawable(ranked(record))
    none = undrawn(record)
    searched = {
        name: among
        for name, among in record.searched.items()
        if name not in none and not among.single()
    }
    if not complete or not searched:
        return None
    columns = min(3, len(searched))
    rows = math.ceil(len(searched) / columns)
    figure = Figure(figsize=(3.1 * columns, 2.7 * rows + 0.4), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    short = short_names(list(record.searched))
    for axes, name in zip(grid, by_importance(record, searched), strict=False):
        style(axes)
        _slice(axes, record, complete, name, searched[name])
        axes.set_xlabel(short[name])
    for axes in grid[len(searched) :]:
        axes.set_visible(False)
    for axes in grid[::columns]:
        measure(axes.yaxis, record)
    _legend(figure, record, complete)
    return figure


def _slice(
    axes: Axes, record: StudyRecord, complete: Sequence[Row], name: str, among: BaseDistribution
) -> None:
    top = {row.number for row in complete[:TOP]}
    for colour, leads in ((BLUE, False), (RED, True)):  # the best on top of the others
        rows = [r for r in complete if name in r.settings and (r.number in top) is leads]
        if not rows:
            continue
        places = [_place(among, row.settings[name]) for row in rows]
        values = [row.values[0] for row in rows]
        (points,) = axes.plot(places, values, "o", color=colour, markersize=4.2)
        of_trials(points, rows)
    pruned = _pruned(record, name)
    places = [_place(among, row.settings[name]) for row in pruned]
    mark(axes, places, pruned, TrialStatus.PRUNED)
    if isinstance(among, CategoricalDistribution):
        choices = [str(choice) for choice in among.choices]
        axes.set_xticks(range(len(choices)), choices, **_tilted(choices))
        axes.set_xlim(-0.5, len(among.choices) - 0.5)
    elif getattr(among, "log", False):
        axes.set_xscale("log")
        plain_log_ticks(axes.xaxis)
    elif isinstance(among, IntDistribution):
        whole(axes.xaxis)


def _tilted(labels: Sequence[str]) -> dict[str, Any]:
    """Return how labels are written that would run into each other: tilted, ending at the mark."""
    if sum(map(len, labels)) <= MOST_LETTERS:
        return {}
    return {"rotation": 20, "ha": "right", "rotation_mode": "anchor"}


def _pruned(record: StudyRecord, name: str) -> list[Row]:
    return [row for row in record.rows if row.status == TrialStatus.PRUNED and name in row.settings]


def _legend(figure: Figure, record: StudyRecord, complete: Sequence[Row]) -> None:
    """Say once, above all panels, what the colours are."""
    kinds = [(RED, "o", f"best {min(TOP, len(complete))}")]
    if len(complete) > TOP:
        kinds.append((BLUE, "o", "other complete trials"))
    if any(row.status == TrialStatus.PRUNED for row in record.rows):
        kinds.append((*MARKED[TrialStatus.PRUNED], "pruned"))
    handles = [
        Line2D([], [], linestyle="", color=colour, marker=marker, label=label)
        for colour, marker, label in kinds
    ]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=3,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
    )


def _place(among: BaseDistribution, value: Any) -> float:
    if isinstance(among, CategoricalDistribution):
        return among.to_internal_repr(value)
    return float(value)


def parallel_settings(record: StudyRecord) -> dict[str, BaseDistribution]:
    """Return the settings of all complete trials that matter most, at most MOST_AXES of them.

    Where nothing is known of what matters, the first that were searched.
    """
    complete = drawable(ranked(record))
    common = {
        name: among
        for name, among in record.searched.items()
        if all(name in row.settings for row in complete) and not among.single()
    }
    chosen = by_importance(record, common)[:MOST_AXES]
    return {name: common[name] for name in common if name in chosen}


def parallel(record: StudyRecord) -> Figure | None:
    """Draw each trial as a line through its settings: complete ones by value, pruned behind."""
    complete = drawable(ranked(record))
    chosen = parallel_settings(record)
    if len(complete) < 2 or len(chosen) < 2:
        return None
    figure, axes = axes_of(7.5, 4.2)
    axes.grid(visible=False)
    pruned = [row for row in record.rows if row.status == TrialStatus.PRUNED]
    behind = [row for row in pruned if chosen.keys() <= row.settings.keys()][:MOST_BEHIND]
    if behind:
        lines = LineCollection(_lines(behind, chosen), colors=GREY, linewidths=0.6, alpha=0.35)
        axes.add_collection(lines)
        of_trials(lines, behind)
    values = [row.values[0] for row in complete]
    colours = ScalarMappable(Normalize(min(values), max(values)), VALUES)
    # The best last, on top of the others.
    lines = LineCollection(
        _lines(complete[::-1], chosen),
        colors=colours.to_rgba(np.array(values[::-1])),
        linewidths=1.2,
        alpha=0.85,
    )
    axes.add_collection(lines)
    of_trials(lines, complete[::-1])
    for n, among in enumerate(chosen.values()):
        axes.axvline(n, color=LINE, linewidth=1)
        for at, text in _marks(among):
            axes.text(n + 0.03, at, text, fontsize=8, color=INK, va="center")
    short = short_names(list(record.searched))
    axes.set_xticks(range(len(chosen)), [short[name] for name in chosen], rotation=15)
    axes.set_yticks([])
    axes.set(xlim=(-0.2, len(chosen) - 0.6), ylim=(-0.05, 1.05))
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(colours, ax=axes, label=axis_label(record))
    measure(bar.ax.yaxis, record)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.ax.yaxis.label.set_color(INK)
    return figure


def _lines(
    rows: Sequence[Row], chosen: Mapping[str, BaseDistribution]
) -> list[list[tuple[float, float]]]:
    return [
        [(n, _share(among, row.settings[name])) for n, (name, among) in enumerate(chosen.items())]
        for row in rows
    ]


def _share(among: Any, value: Any) -> float:
    """Return where a value lies on an axis from 0 to 1, whose ends are the first and the last."""
    if isinstance(among, CategoricalDistribution):
        return among.to_internal_repr(value) / max(1, len(among.choices) - 1)
    return unit(among, value)


def _marks(among: Any) -> list[tuple[float, str]]:
    if isinstance(among, CategoricalDistribution):
        return [(_share(among, choice), str(choice)) for choice in among.choices]
    return [(_share(among, end), f"{end:g}") for end in (among.low, among.high)]
