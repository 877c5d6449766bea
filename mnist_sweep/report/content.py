"""What a report says, section by section: the same for the text and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.cli.printed_commands import Program
from mnist_sweep.confirm import wording
from mnist_sweep.confirm.conclusion import Conclusion
from mnist_sweep.files import size_of
from mnist_sweep.report.importance import Importance, at_the_ends, importances
from mnist_sweep.sweep.extension import history_of
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted, duration, megabytes, one_line, relative

SHOWN = 10  # configurations


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows under a header. Columns in `code` are settings, and written as such."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: Sequence[int] = ()


@dataclass(frozen=True)
class Commands:
    """Command lines, each with what it is."""

    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Picture:
    """A figure by its name, and what it shows in words."""

    name: str
    shows: str


Block: TypeAlias = Note | Points | Table | Commands | Picture


@dataclass(frozen=True)
class Section:
    """A heading, and what is below it."""

    title: str
    blocks: Sequence[Block]


def sections(
    record: StudyRecord,
    pictures: Sequence[Picture] = (),
    confirmed: Sequence[Conclusion] = (),
) -> list[Section]:
    """Return the report in its order; a picture stands where its name belongs, if it was drawn."""
    drawn = {picture.name: picture for picture in pictures}

    def shown(*names: str) -> list[Block]:
        return [drawn[name] for name in names if name in drawn]

    objective = record.objectives[0]
    network = [name for name in drawn if name.startswith(("confusion", "failures"))]
    network += [name for name in drawn if name.startswith(("filters", "maps"))]
    found = [
        Section("What was searched", _searched(record)),
        Section("What it cost", [*_cost(record), *shown("history")]),
        Section(
            "The front" if len(record.directions) > 1 else "The best configurations",
            _best(record, confirmed),
        ),
        Section(
            "With fresh seeds",
            [
                block
                for number, conclusion in enumerate(confirmed, start=1)
                for block in (*_confirmed(conclusion), *shown(f"confirmed-{number}"))
            ],
        ),
        Section(f"{objective} against parameters", [*shown("parameters"), *_sizes(record)]),
        Section(
            "Which settings matter", [*_matters(record), *shown("importance", "slices", "parallel")]
        ),
        Section("Learning curves", shown("curves")),
        Section("Learning rates of the best", shown("rates")),
        Section("The best network", shown(*network)),
        Section("Again", _again(record)),
    ]
    return [section for section in found if section.blocks]


def _searched(record: StudyRecord) -> list[Block]:
    aims = zip(record.objectives, record.directions, strict=True)
    lines = ["objective: " + ", ".join(f"{name} ({direction})" for name, direction in aims)]
    if record.budget is not None:
        lines.append(f"budget: at most {record.budget:,} parameters")
    lines += history_of(record.study)
    drawn = {name: _range(among) for name, among in record.searched.items()}
    settings = record.definition.get("search", {}).get("settings", {})
    fixed = {name: str(setting) for name, setting in settings.items() if name not in drawn}
    rows = [
        *((name, text, "searched") for name, text in drawn.items()),
        *((name, text, "fixed") for name, text in fixed.items()),
    ]
    return [Points(lines), Table(("setting", "values", "how"), rows, code=(0,))]


def _range(among: BaseDistribution) -> str:
    if isinstance(among, CategoricalDistribution):
        return ", ".join(map(str, among.choices))
    assert isinstance(among, FloatDistribution | IntDistribution)
    return f"{among.low:g} to {among.high:g}{' (log)' if among.log else ''}"


def _cost(record: StudyRecord) -> list[Block]:
    counts = record.counts
    trained, saved = record.epochs_trained, record.epochs_saved
    share = f" ({saved / (trained + saved):.0%})" if saved else ""
    lines = [
        f"{counted(len(record.finished), 'trial')} ran: {counts[TrialStatus.COMPLETE]} complete, "
        f"{counts[TrialStatus.PRUNED]} pruned, {counts[TrialStatus.FAILED]} failed"
    ]
    if record.budget is not None or counts[TrialStatus.REJECTED]:
        rejected = counted(counts[TrialStatus.REJECTED], "proposal")
        why = " over budget" if record.budget is not None else ""
        lines.append(f"{rejected} rejected{why}, before anything ran")
    times = [_wall(record)]
    if record.ours:
        lines.append(f"{trained:,} epochs trained, {saved:,} saved by pruning{share}")
        times.insert(0, f"{duration(record.seconds)} of training, all trials added up")
    lines.append("; ".join(time for time in times if time))
    if record.folder is not None:
        lines.append(f"disk: {megabytes(size_of(record.folder))} in {relative(record.folder)}")
    unfinished = (
        TrialStatus.RUNNING,
        TrialStatus.INTERRUPTED,
        TrialStatus.QUEUED,
        TrialStatus.REFUSED,
    )
    lines += [f"{counts[status]} {status}" for status in unfinished if counts[status]]
    return [Points([line for line in lines if line])]


def _wall(record: StudyRecord) -> str:
    began = [row.began for row in record.finished if row.began]
    ended = [row.ended for row in record.finished if row.ended]
    if not began or not ended:
        return ""
    wall = (max(ended) - min(began)).total_seconds()
    return f"{duration(wall)} from the first start to the last end"


def _best(record: StudyRecord, confirmed: Sequence[Conclusion]) -> list[Block]:
    if not record.best:
        closest = min(
            (row for row in record.rows if row.status == TrialStatus.REJECTED),
            key=lambda row: int(row.attributes.get("parameters", 0)),
            default=None,
        )
        hint = (
            f" The smallest rejected one, trial {closest.number}, has {closest.reason}."
            if closest
            else ""
        )
        fits = " fits the budget" if record.budget is not None else ""
        return [Note(f"No complete trial{fits or ' yet'}.{hint}")]
    rows = record.best[:SHOWN]
    known = [name for name in ("parameters", "epochs") if any(name in r.attributes for r in rows)]
    names = list(dict.fromkeys(name for row in rows for name in row.settings))
    named = ["name"] if any("name" in row.attributes for row in rows) else []
    table = Table(
        ("trial", *named, *record.objectives, *known, *names),
        [
            (
                str(row.number),
                *(str(row.attributes.get(name, "")) for name in named),
                *(f"{value:.6g}" for value in row.values),
                *(_number(row.attributes.get(name)) for name in known),
                *(_short(row.settings.get(name, "")) for name in names),
            )
            for row in rows
        ],
    )
    return [table, *_notes(rows), *_commands(record, rows[:1]), *_caution(record, confirmed)]


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
    ours = "val_acc" in record.best[0].attributes
    if known or not ours or not record.address:
        return [Note(flattered)]
    program = record.program or Program()
    confirm = program.entry("confirm", study=record.name, storage=record.address)
    return [
        Note(f"{flattered} Train the best with fresh seeds before you believe it:"),
        Commands([("with fresh seeds", confirm)]),
    ]


def _confirmed(conclusion: Conclusion) -> list[Block]:
    rows = [wording.row(standing) for standing in conclusion.standings]
    blocks: list[Block] = [Table(wording.HEADER, rows)]
    if steps := wording.steps(conclusion):
        blocks.append(Table(wording.STEPS, steps))
    return [*blocks, Points(list(wording.sentences(conclusion)))]


def _sizes(record: StudyRecord) -> list[Block]:
    front = best_of_each_size(record)
    if len(record.directions) > 1 or not front:
        return []
    rows = [
        (_number(row.attributes["parameters"]), f"{row.values[0]:.6g}", str(row.number))
        for row in front
    ]
    return [
        Note("The best of each size:"),
        Table(("parameters", record.objectives[0], "trial"), rows),
    ]


def best_of_each_size(record: StudyRecord) -> list[Row]:
    """Return the trials that no smaller one is as good as, the best first."""
    front: list[Row] = []
    for row in record.best:
        size = row.attributes.get("parameters")
        if isinstance(size, int) and (not front or size < front[-1].attributes["parameters"]):
            front.append(row)
    return front


def _matters(record: StudyRecord) -> list[Block]:
    blocks: list[Block] = []
    for importance in importances(record):
        blocks += _importance(importance)
    ends = at_the_ends(record)
    return [*blocks, Points(ends)] if ends else blocks


def _importance(found: Importance) -> list[Block]:
    trials = counted(found.trials, "trial")
    if found.why_not:
        return [Note(f"{found.objective} {found.at} of {trials}: {found.why_not}.")]
    rows = [(name, f"{share:.0%}", f"all {trials}") for name, share in found.shares.items()]
    for part in found.parts:
        having = counted(part.trials, "trial")
        rows.append((part.setting, f"{part.share:.0%}", f"the {having} that have it"))
    notes: list[Block] = [
        Note(
            f"The share of the variance of {found.objective} {found.at} that each setting explains "
            "alone, over the range that was searched (main effects of a Gaussian process, whose "
            f"predictions for trials that it has not seen correlate with them by {found.skill:.2f}"
            f"). The rest, {found.together:.0%}, is explained by several settings together. The "
            "slices below show which values are better."
        ),
        Table(("setting", "share", "of the variance among"), rows, code=(0,)),
    ]
    if found.unknown:
        names = ", ".join(found.unknown)
        notes.append(
            Note(f"Nothing can be said of these, from the trials that have them: {names}.")
        )
    return notes


def _again(record: StudyRecord) -> list[Block]:
    return _commands(record, record.best[:SHOWN])


def _commands(record: StudyRecord, rows: Sequence[Row]) -> list[Block]:
    known = [(f"trial {row.number}", record.command(row)) for row in rows]
    lines = [(what, line) for what, line in known if line is not None]
    return [Commands(lines)] if lines else []


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
