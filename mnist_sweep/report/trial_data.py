"""Every trial as the page's script shows it: on hover, in its row, under its filter."""

import math
from typing import Any

from mnist_sweep.report.names import short_names
from mnist_sweep.report.objective_values import writer
from mnist_sweep.report.ranking import size_of
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.text import shortened

MOST_CURVE = 40  # points of a curve: as many as its little drawing can show


def trial_data(record: StudyRecord) -> dict[str, Any]:
    """Return a study's trials as plain data.

    `columns`: what is searched, each with its short name. `trials`: of each its `number`, `state`,
    `reason`, `values` (texts, by objective), `parameters` (None where unknown), `settings` (texts,
    by column; None where it has none) and `curve` (pairs of step and value).
    `unit`: what a curve's values are in.
    """
    names = list(record.searched)
    short = short_names(names)
    value_of = writer(record)
    return {
        "objectives": list(record.objectives),
        "step": record.step,
        "unit": "%" if value_of.is_accuracy() else "",
        "columns": [[name, short[name]] for name in names],
        "trials": [_trial(row, names, value_of) for row in record.rows],
    }


def _trial(row: Row, names: list[str], value_of: ObjectiveText) -> dict[str, Any]:
    return {
        "number": row.number,
        "state": str(row.status),
        "reason": shortened(row.reason) if row.reason else None,
        "values": [value_of.one(value, n) for n, value in enumerate(row.values)],
        "parameters": size_of(row),
        "settings": [
            _setting(row.settings[name]) if name in row.settings else None for name in names
        ],
        "curve": _curve(row, 100 if value_of.is_accuracy() else 1),
    }


def _setting(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:.4g}" if isinstance(value, float) else shortened(value)


def _curve(row: Row, times: int) -> list[tuple[int, float]]:
    """Return a trial's finite values by step, thinned evenly where they are many."""
    points = [
        (step, float(f"{times * value:.4g}"))
        for step, value in sorted(row.curve.items())
        if math.isfinite(value)
    ]
    stride = -(-len(points) // MOST_CURVE) or 1
    return points[::-1][::stride][::-1]
