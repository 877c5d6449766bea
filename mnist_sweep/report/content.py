"""What a report says, section by section: the same for the text and for the page."""

from collections.abc import Mapping, Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.confirm import wording
from mnist_sweep.confirm.conclusion import Conclusion
from mnist_sweep.files import size_of
from mnist_sweep.report.answer import answer, wall_clock
from mnist_sweep.report.arms import over_their_seeds
from mnist_sweep.report.blocks import (
    AllTrials,
    Block,
    Gallery,
    Picture,
    Points,
    Section,
    Table,
)
from mnist_sweep.report.configurations import again, best, sizes
from mnist_sweep.report.matters import matters
from mnist_sweep.report.settings_charts import searchable
from mnist_sweep.sweep.extension import history_of
from mnist_sweep.sweep.study_record import StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted, duration, megabytes, relative


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
    several = len(record.directions) > 1
    lead = answer(record, confirmed, drawn)
    on_top = {block.name for block in lead if isinstance(block, Picture)}
    drawn = {name: picture for name, picture in drawn.items() if name not in on_top}
    errors = [name for name in drawn if name.startswith(("confusion", "failures"))]
    found = [
        Section("The answer", lead, leads=True),
        Section(
            "With fresh seeds",
            [
                block
                for number, conclusion in enumerate(confirmed, start=1)
                for block in (*_confirmed(conclusion), *shown(f"confirmed-{number}"))
            ],
        ),
        Section("Over the seeds", over_their_seeds(record)),
        Section(
            "The front" if several else "The best configurations",
            best(record, confirmed),
        ),
        Section(f"{objective} against parameters", [*shown("parameters"), *sizes(record)]),
        Section(
            "Which settings matter", [*matters(record), *shown("importance", "slices", "parallel")]
        ),
        Section("Learning curves", shown("curves")),
        Section("Learning rates of the best", shown("rates")),
        Section("The best network", [*shown(*errors), *_insides(drawn)]),
        Section("What was searched", _searched(record)),
        Section("What it cost", [*_cost(record), *shown("history")]),
        Section("All trials", [AllTrials(len(record.rows))] if record.rows else []),
        Section("Command lines", again(record)),
    ]
    return [section for section in found if section.blocks]


def _insides(drawn: Mapping[str, Picture]) -> list[Block]:
    """Return the pictures of a network's insides, folded away: there are many."""
    kinds = {"filters": "Filters", "maps": "Feature maps of one image"}
    found: list[Block] = []
    for kind, what in kinds.items():
        pictures = [drawn[name] for name in drawn if name.startswith(kind)]
        if pictures:
            found.append(Gallery(f"{what}: {counted(len(pictures), 'picture')}", pictures))
    return found


def _searched(record: StudyRecord) -> list[Block]:
    aims = zip(record.objectives, record.directions, strict=True)
    lines = ["objective: " + ", ".join(f"{name} ({direction})" for name, direction in aims)]
    if record.budget is not None:
        lines.append(f"budget: at most {record.budget:,} parameters")
    lines += history_of(record.study)
    drawn = record.searched
    planned = searchable(record)
    if never := [name for name in planned if name not in drawn]:
        lines.append(f"never drawn: {', '.join(never)}")
    settings = record.definition.get("search", {}).get("settings", {})
    fixed = [
        f"{name}={setting}"
        for name, setting in settings.items()
        if name not in drawn and name not in planned
    ]
    if fixed:
        lines.append(f"fixed: {', '.join(fixed)}")
    rows = [(name, _range(among)) for name, among in drawn.items()]
    return [Points(lines), *([Table(("setting", "values"), rows, code=(0,))] if rows else [])]


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
    if trained or saved:
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
    wall = wall_clock(record)
    return "" if wall is None else f"{duration(wall)} from the first start to the last end"


def _confirmed(conclusion: Conclusion) -> list[Block]:
    rows = [wording.row(standing) for standing in conclusion.standings]
    blocks: list[Block] = [Table(wording.HEADER, rows)]
    if steps := wording.steps(conclusion):
        blocks.append(Table(wording.STEPS, steps))
    return [*blocks, Points(list(wording.sentences(conclusion)))]
