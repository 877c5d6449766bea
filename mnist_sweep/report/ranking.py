"""Which trials lead: by the first objective, by size, and on the front."""

from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus


def ranked(record: StudyRecord) -> list[Row]:
    """Return the complete trials that fit, in the order of the first objective."""
    rows = [row for row in record.rows if row.values and row.feasible]
    sign = 1 if record.directions[0] == "minimize" else -1
    return sorted(rows, key=lambda row: sign * row.values[0])


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


def none_complete(record: StudyRecord) -> str:
    """Say that no trial is ranked: none has got as far, or none fits."""
    under_way = record.counts[TrialStatus.RUNNING] and not any(row.values for row in record.rows)
    if under_way or record.budget is None:
        return "No complete trial yet."
    return "No complete trial fits the budget."
