"""The answer that a report begins with: one sentence, what it rests on, a picture, what to do."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mnist_sweep.cli.printed_commands import Program
from mnist_sweep.confirm import headline
from mnist_sweep.confirm.conclusion import Conclusion, Standing
from mnist_sweep.report import arms
from mnist_sweep.report.blocks import Block, Commands, Headline, Picture, Points
from mnist_sweep.report.noise import Judged, accuracy, alike, judged
from mnist_sweep.report.objective_values import writer
from mnist_sweep.report.ranking import front, none_ranked, ranked, size_of
from mnist_sweep.run.directory import RunDirectory
from mnist_sweep.study_folder import BUNDLES
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted, duration, relative

VAL_ACC = "val_acc"


def answer(
    record: StudyRecord, confirmed: Sequence[Conclusion], drawn: dict[str, Picture]
) -> list[Block]:
    """Return what a reader wants to know first; what a confirmation found, where there is one.

    `confirmed`: of several, the first answers. `drawn`: the pictures by name, of which one is
    chosen.
    """
    if len(record.directions) > 1 and record.best:
        sentence, rest, names = _of_front(record), [], ["parameters", "history"]
    elif confirmed:
        sentence = _of_conclusion(record, confirmed[0])
        rest = [*_verdicts(record, confirmed[0]), *map(_another, confirmed[1:])]
        names = ["confirmed-1"]
    elif (of_arms := arms.headline(record)) is not None:
        sentence, rest, names = of_arms, [*arms.verdicts(record)], ["arms"]
    elif record.best:
        known = judged(record)
        sentence, rest = _of_trials(record, known), [*_open(record, known)]
        names = ["leaders", "history"]
    else:
        sentence, rest, names = none_ranked(record), [], ["history"]
    pictures = [drawn[name] for name in names if name in drawn][:1]
    commands = _commands(record, confirmed)
    points = Points([line for line in [*rest, cost(record)] if line])
    found: list[Block] = [Headline(sentence[:1].upper() + sentence[1:]), points]
    return [*found, *([Commands(commands)] if commands else []), *pictures]


def _of_conclusion(record: StudyRecord, conclusion: Conclusion) -> str:
    leader = conclusion.standings[0]
    size, epochs = _size(record, leader.parameters), _epochs(record, leader)
    return f"{leader.title}: {headline.result(conclusion)}{size}{epochs}."


def _epochs(record: StudyRecord, standing: Standing) -> str:
    """Say how long fresh seeds were trained, where the search has trained for other epochs."""
    row = _row_of(record, standing)
    rows = record.rows if row is None else [row]
    searched = {r.attributes["max_epochs"] for r in rows if "max_epochs" in r.attributes}
    if not searched or standing.epochs in searched:
        return ""
    return (
        f", trained for {counted(standing.epochs, 'epoch')}, where the search had "
        f"{' or '.join(map(str, sorted(searched)))}"
    )


def _another(conclusion: Conclusion) -> str:
    """Say that there is another confirmation, of what, and who leads there."""
    leader = conclusion.standings[0]
    return (
        f"another confirmation, {counted(leader.epochs, 'epoch')} on {conclusion.data} with "
        f"{counted(conclusion.images, 'test image')}, is below: there {leader.title} leads"
    )


def _verdicts(record: StudyRecord, conclusion: Conclusion) -> Iterator[str]:
    yield headline.against_default(conclusion)
    yield headline.against_runner_up(conclusion) or ""
    titles = [standing.title for standing in conclusion.standings]
    if record.best and (title := f"trial {record.best[0].number}") not in titles:
        yield f"{title}, which leads the study by now, {_without_a_standing(conclusion, title)}"


def _without_a_standing(conclusion: Conclusion, title: str) -> str:
    """Say why a configuration has no place in a conclusion, and what to do."""
    if title in conclusion.missing:
        return (
            "has too few fresh seeds to be judged: the confirmation's command with more hours= "
            "trains the others"
        )
    if title in conclusion.unsettled:
        return "was confirmed, but nothing can be said: too many of its seeds diverged"
    return "is not in the confirmation: confirm again"


def _of_trials(record: StudyRecord, known: Judged | None) -> str:
    best = record.best[0]
    objective, share = record.objectives[0], accuracy(best)
    size = _size(record, size_of(best))
    if share is None or not record.ours:
        complete = counted(len(ranked(record)), "complete trial")
        value = writer(record).named(best.values)
        return f"trial {best.number} leads {complete} with {value}{size}."
    value = "" if objective == VAL_ACC else f"{writer(record).named(best.values)} and "
    if known is None:
        return f"trial {best.number} leads with {value}{share:.2%} validation accuracy{size}."
    around = known.interval(share)
    ends = f"{known.percent(around.low)} to {known.percent(around.high)}"
    return (
        f"trial {best.number} leads with {value}{known.percent(share)} of {known.images:,} "
        f"validation images ({ends} on other images, 95%){size}."
    )


def _open(record: StudyRecord, known: Judged | None) -> Iterator[str]:
    """Say what one run each leaves open."""
    best, *others = ranked(record)
    if known is not None and record.objectives[0] == VAL_ACC and others:
        near = len(alike(known, best, others))
        yield (
            f"{near} of {len(others)} other complete configurations cannot be told from it by "
            f"these images; one image is {100 / known.images:.2g} points"
        )
    elif others:
        value = writer(record).one(others[0].values[0])
        yield f"the next is trial {others[0].number} with {value}"
    if VAL_ACC in best.attributes:
        yield "not confirmed with fresh seeds: the best of many runs looks better than it is"


def _of_front(record: StudyRecord) -> str:
    rows = front(record)
    ends = [
        f"trial {row.number} ({_values(record, row)})"
        for row in ([rows[0], rows[-1]] if len(rows) > 1 else rows)
    ]
    called = "configuration is" if len(rows) == 1 else "configurations are"
    return f"{len(rows)} {called} on the front: {', up to '.join(ends)}."


def _values(record: StudyRecord, row: Row) -> str:
    return writer(record).named(row.values)


def _size(record: StudyRecord, parameters: int | None) -> str:
    if parameters is None:
        return ""
    share = f", {parameters / record.budget:.0%} of the budget" if record.budget else ""
    return f", with {parameters:,} parameters{share}"


def cost(record: StudyRecord) -> str:
    """Return in a line what the search took; nothing where no trial has ended."""
    ran = record.finished
    if not ran:
        return ""
    counts = record.counts
    few = [
        f"{counts[status]} {status}"
        for status in (TrialStatus.PRUNED, TrialStatus.FAILED)
        if counts[status]
    ]
    some = f" ({', '.join(few)})" if few else ""
    wall = wall_clock(record)
    took = f" in {duration(wall)}" if wall and wall >= 1 else ""
    return f"it cost {counted(len(ran), 'trial')}{some}{took}"


def wall_clock(record: StudyRecord) -> float | None:
    """Return the seconds from the first start of a trial to the last end; None without times.

    None too where clocks contradict each other, as on the night when they go back.
    """
    began = [row.began for row in record.finished if row.began]
    ended = [row.ended for row in record.finished if row.ended]
    took = (max(ended) - min(began)).total_seconds() if began and ended else -1.0
    return took if took >= 0 else None


def _commands(record: StudyRecord, confirmed: Sequence[Conclusion]) -> list[tuple[str, str]]:
    """Return what can be done with the leader: confirm, export and train it again."""
    row = _leader(record, confirmed)
    if row is None:
        return []
    program = record.program or Program()
    found: list[tuple[str, str]] = []
    if confirmable(record):
        confirm = program.entry("confirm", study=record.name, storage=record.address)
        found.append(("confirm the best with fresh seeds", confirm))
    run = row.attributes.get("run_directory")
    if record.ours and run and record.home and _has_weights(Path(str(run))):
        bundle = relative(record.home / BUNDLES / f"trial-{row.number}")
        found.append(
            ("export it", program.entry("export", run=relative(Path(str(run))), to=bundle))
        )
    which = f"trial {row.number}" if len(record.directions) > 1 else "it"  # of a front, one of many
    again = record.command(row)
    verb = "train" if record.ours else "run"
    return [*found, (f"{verb} {which} once more", again)] if again else found


def _has_weights(run: Path) -> bool:
    try:
        return RunDirectory(run).best.is_file()
    except OSError:  # another user's
        return False


def confirmable(record: StudyRecord) -> bool:
    """Whether `confirm` can train a study's best again: they are runs of ours."""
    return bool(record.best and record.address and VAL_ACC in record.best[0].attributes)


def _leader(record: StudyRecord, confirmed: Sequence[Conclusion]) -> Row | None:
    """Return the trial that is recommended; None where that is none of the study's."""
    if len(record.directions) > 1 or not confirmed:
        return arms.leader(record) or (record.best[0] if record.best else None)
    return _row_of(record, confirmed[0].standings[0])


def _row_of(record: StudyRecord, standing: Standing) -> Row | None:
    """Return the trial that a standing is of; None where that is none of the study's."""
    return next((row for row in record.rows if standing.title == f"trial {row.number}"), None)
