"""Which trials lead: by the first objective, by size, and on the front."""

import math
from collections.abc import Sequence

from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import FINISHED, TrialStatus
from mnist_sweep.text import counted, shortened

ENDED = (*FINISHED, TrialStatus.REJECTED, TrialStatus.REFUSED)


def ranked(record: StudyRecord) -> list[Row]:
    """Return the complete trials that fit, in the order of the first objective."""
    rows = [row for row in record.rows if row.values and row.feasible]
    sign = 1 if record.directions[0] == "minimize" else -1
    return sorted(rows, key=lambda row: sign * row.values[0])


def drawable(rows: Sequence[Row]) -> list[Row]:
    """Return the complete trials that fit and have a place along an axis of the first objective.

    Another application may answer infinity, which has none.
    """
    return [row for row in rows if row.values and row.feasible and math.isfinite(row.values[0])]


def size_of(row: Row) -> int | None:
    """Return how many parameters a trial's network has; None where that is not recorded."""
    size = row.attributes.get("parameters")
    return size if isinstance(size, int) and not isinstance(size, bool) else None


def best_of_each_size(record: StudyRecord) -> list[Row]:
    """Return the trials that no smaller one is as good as, the best first."""
    front: list[Row] = []
    smallest: int | None = None
    for row in record.best:
        size = size_of(row)
        if size is not None and (smallest is None or size < smallest):
            front.append(row)
            smallest = size
    return front


def front(record: StudyRecord) -> list[Row]:
    """Return the front of a study of several objectives, the smallest network first.

    By the second objective where sizes are not known of all.
    """
    sizes = {row.number: size_of(row) for row in record.best}
    if None not in sizes.values():
        return sorted(record.best, key=lambda row: (sizes[row.number], row.number))
    sign = 1 if record.directions[1] == "minimize" else -1
    return sorted(record.best, key=lambda row: (sign * row.values[1], row.number))


def none_ranked(record: StudyRecord) -> str:
    """Say why no trial of a study is ranked: what those that have ended came to."""
    if complete := sum(bool(row.values) for row in record.rows):
        lacks = "meets the constraints" if record.budget is None else "fits the budget"
        return f"None of {counted(complete, 'complete trial')} {lacks}."
    counts = record.counts
    ended = [f"{counts[status]} {status}" for status in ENDED if counts[status]]
    if not ended:
        return "No trial has ended yet."
    first = next((r for r in record.rows if r.status == TrialStatus.FAILED and r.reason), None)
    why = (
        f"; the first failure is of trial {first.number}: {shortened(first.reason)}"
        if first
        else ""
    )
    return f"No trial is complete: {', '.join(ended)}{why}."
