"""The report's tables of configurations: the best, the front, and the best of each size."""

from collections.abc import Sequence

from mnist_sweep.confirm.conclusion import Conclusion
from mnist_sweep.report.answer import confirmable
from mnist_sweep.report.blocks import Block, Commands, Note, Points, Table
from mnist_sweep.report.names import short_names, short_value
from mnist_sweep.report.objective_values import writer
from mnist_sweep.report.ranking import best_of_each_size, front, none_ranked, size_of
from mnist_sweep.report.settings_charts import by_importance
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import one_line, shortened

SHOWN = 10  # configurations


def best(record: StudyRecord, confirmed: Sequence[Conclusion]) -> list[Block]:
    """Return the table of the best, the whole front where there is one, with what it is worth."""
    if not record.best:
        return _closest(record)
    several = len(record.directions) > 1
    rows = front(record) if several else record.best[:SHOWN]
    return [_table(record, rows), *_notes(rows), *_caution(record, confirmed)]


def _closest(record: StudyRecord) -> list[Block]:
    """Say why there is none, and how small the smallest was that did not fit."""
    rejected = [row for row in record.rows if row.status == TrialStatus.REJECTED]
    sized = [(size, row.number, row) for row in rejected if (size := size_of(row)) is not None]
    closest = min(sized)[2] if sized else None
    hint = (
        f" The smallest rejected one, trial {closest.number}, has {shortened(closest.reason)}."
        if closest and closest.reason
        else ""
    )
    return [Note(f"{none_ranked(record)}{hint}")]


def _table(record: StudyRecord, rows: Sequence[Row]) -> Table:
    """Return trials with what is known of each and what they chose, what matters most first."""
    known = [name for name in ("parameters", "epochs") if any(name in r.attributes for r in rows)]
    known = [name for name in known if name not in record.objectives]
    searched = {
        name: among
        for name, among in record.searched.items()
        if not among.single() and any(name in row.settings for row in rows)
    }
    names = by_importance(record, searched)
    value_of = writer(record)
    named = ["name"] if any("name" in row.attributes for row in rows) else []
    cells = [
        (
            str(row.number),
            *(str(row.attributes.get(name, "")) for name in named),
            *(value_of.one(value, n) for n, value in enumerate(row.values)),
            *(_number(row.attributes.get(name)) for name in known),
            *(short_value(row.settings.get(name, "")) for name in names),
        )
        for row in rows
    ]
    return Table(
        ("trial", *named, *record.objectives, *known, *names),
        cells,
        short=short_names(names),
        trials=[row.number for row in rows],
    )


def _notes(rows: Sequence[Row]) -> list[Block]:
    """Return what was noted of the best, each note once."""
    noted: dict[str, list[str]] = {}
    for row in rows:
        if row.attributes.get("notes"):
            noted.setdefault(one_line(row.attributes["notes"]), []).append(str(row.number))
    lines = [
        f"{'trial' if len(numbers) == 1 else 'trials'} {', '.join(numbers)}: {notes}"
        for notes, numbers in noted.items()
    ]
    return [Points(lines)] if lines else []


def _caution(record: StudyRecord, confirmed: Sequence[Conclusion]) -> list[Block]:
    """Say what one run is worth, and how to know more where that has not been found out."""
    judge = "the same validation images" if record.ours else "the same value"
    flattered = (
        f"Each is one run, chosen and judged by {judge}: the best of many runs looks better than "
        "it is."
    )
    first = f"trial {record.best[0].number}"
    known = any(standing.title == first for each in confirmed for standing in each.standings)
    if known or not confirmable(record):
        return [Note(flattered)]
    return [Note(f"{flattered} Train the best with fresh seeds (above) before you believe it.")]


def sizes(record: StudyRecord) -> list[Block]:
    """Return the table of the best of each size; none where there is a front already."""
    rows = best_of_each_size(record)
    if len(record.directions) > 1 or not rows:
        return []
    value_of = writer(record)
    cells = [(_number(size_of(row)), value_of.one(row.values[0]), str(row.number)) for row in rows]
    return [
        Note("The best of each size:"),
        Table(
            ("parameters", record.objectives[0], "trial"),
            cells,
            trials=[row.number for row in rows],
        ),
    ]


def again(record: StudyRecord) -> list[Block]:
    """Return the lines that train the best again."""
    known = [(f"trial {row.number}", record.command(row)) for row in record.best[:SHOWN]]
    lines = [(what, line) for what, line in known if line is not None]
    return [Commands(lines)] if lines else []


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
