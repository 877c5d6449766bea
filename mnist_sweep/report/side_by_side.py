"""Several studies of one objective: what each had found after so many trials, and so much time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import median

import optuna

from mnist_sweep.passwords import without_password
from mnist_sweep.report.ranking import drawable
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.read_only import answering, open_to_read
from mnist_sweep.sweep.study_record import Row, StudyReadError, StudyRecord, of_storage

Curve = list[tuple[float, float]]  # (after how much, the best so far), in order


@dataclass(frozen=True)
class Group:
    """One line of the chart: a study, or several that a pattern names, its replicates."""

    label: str
    records: Sequence[StudyRecord]


@dataclass(frozen=True)
class Band:
    """A group's curve: at each place the median of its studies, the lowest and the highest."""

    label: str
    places: list[float]
    middle: list[float]
    low: list[float]
    high: list[float]


def read_groups(names: Sequence[str], address: str) -> list[Group]:
    """Read the studies that names and patterns ("tpe-*") name, a group each.

    A study of a literal name is that one. Raises StorageError, and StudyReadError for a name that
    no study has, for fewer than two groups, and for studies that cannot be compared.
    """
    storage = open_to_read(address)
    with answering(address):
        known = sorted(optuna.get_all_study_names(storage))
    groups = []
    for name in dict.fromkeys(names):
        found = [name] if name in known else [each for each in known if fnmatchcase(each, name)]
        if not found:
            raise StudyReadError(
                f"studies={','.join(names)}: {name} is not in {without_password(address)}; it has "
                f"{', '.join(known) or 'none'}"
            )
        with answering(address):
            groups.append(Group(name, [of_storage(each, address, storage) for each in found]))
    if len(groups) < 2:
        raise StudyReadError(
            f"studies={','.join(names)} is one line of a chart: name two studies or patterns, "
            "separated by a comma, or give study="
        )
    _check_comparable([record for group in groups for record in group.records])
    return groups


def _check_comparable(records: Sequence[StudyRecord]) -> None:
    first = records[0]
    for record in records:
        if len(record.directions) > 1:
            raise StudyReadError(
                f"study {record.name} has {len(record.directions)} objectives, and so no best so "
                "far: leave it out"
            )
        aims = [f"{each.objectives[0]} ({each.directions[0]})" for each in (first, record)]
        if aims[0] != aims[1]:
            raise StudyReadError(
                f"study {first.name} has the objective {aims[0]}, but {record.name} has "
                f"{aims[1]}: they cannot be compared"
            )


def cautions(groups: Sequence[Group]) -> list[str]:
    """Return in what the studies differ besides what was searched, so that values may not compare.

    Trials of other data, of another budget, or of other lengths are not judged alike.
    """
    found = []
    for what, of in (
        ("data", _data),
        ("budget.max_parameters", _budget),
        ("epochs of a trial", _epochs),
    ):
        values = {r.name: of(r) for group in groups for r in group.records}
        if len(set(values.values())) > 1:
            said = ", ".join(f"{name}: {value}" for name, value in values.items())
            found.append(f"They differ in {what} ({said}).")
    return found


def _data(record: StudyRecord) -> str:
    names = {str(r.attributes["data"]) for r in record.rows if "data" in r.attributes}
    return (
        " ".join([*sorted(names), str(record.study.user_attrs.get(study_store.DATA, ""))]).strip()
        or "unknown"
    )


def _budget(record: StudyRecord) -> str:
    return "none" if record.budget is None else f"{record.budget:,}"


def _epochs(record: StudyRecord) -> str:
    lengths = {int(r.attributes["max_epochs"]) for r in record.rows if "max_epochs" in r.attributes}
    return ", ".join(map(str, sorted(lengths))) or "unknown"


def by_trials(record: StudyRecord) -> Curve:
    """Return the best value after so many launched trials had ended, from the first that has."""
    return _so_far(record, lambda position, row: float(position))


def by_time(record: StudyRecord) -> Curve:
    """Return the best value after so many seconds in which trials ran.

    Time in which none ran, between two sweeps of the study, is not counted.
    """
    clock = busy_seconds(record)
    return _so_far(record, lambda position, row: clock[row.number])


def busy_seconds(record: StudyRecord) -> dict[int, float]:
    """Return how long at least one trial had run by the end of each, by its number."""
    spans = sorted((r.began, r.ended, r.number) for r in record.finished if r.began and r.ended)
    merged: list[list[float]] = []  # of seconds since the first start
    start = spans[0][0] if spans else None
    ends = {}
    for began, ended, number in spans:
        assert start is not None
        first, last = (began - start).total_seconds(), (ended - start).total_seconds()
        ends[number] = last
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return {
        number: sum(min(last, end) - first for first, last in merged if first < end)
        for number, end in ends.items()
    }


def _so_far(record: StudyRecord, place: Callable[[int, Row], float]) -> Curve:
    better = min if record.directions[0] == "minimize" else max
    ended = sorted(
        ((r.ended, r.number, r) for r in record.finished if r.began and r.ended),
        key=lambda each: each[:2],
    )
    curve: Curve = []
    best: float | None = None
    for position, (_, _, row) in enumerate(ended, start=1):
        if drawable([row]):
            best = row.values[0] if best is None else better(best, row.values[0])
        if best is not None:
            curve.append((place(position, row), best))
    return curve


def band(group: Group, curve_of: Callable[[StudyRecord], Curve]) -> Band | None:
    """Return a group's curve where all of its studies have one; None where there is no such place.

    That is from where the last of them has a value to where the first of them ends.
    """
    curves = [curve_of(record) for record in group.records]
    if not all(curves):
        return None
    first = max(curve[0][0] for curve in curves)
    last = min(curve[-1][0] for curve in curves)
    places = sorted({at for curve in curves for at, _ in curve if first <= at <= last})
    if not places:
        return None
    columns = [[_value_at(curve, at) for curve in curves] for at in places]
    label = group.label
    if len(curves) > 1:
        label += f" (median and range of {len(curves)} studies)"
    return Band(
        label,
        places,
        [median(column) for column in columns],
        [min(column) for column in columns],
        [max(column) for column in columns],
    )


def _value_at(curve: Curve, place: float) -> float:
    return next(value for at, value in reversed(curve) if at <= place)
