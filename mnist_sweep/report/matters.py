"""The report's section on which settings matter, in words."""

from mnist_sweep.report.blocks import Block, Note, Points, Table
from mnist_sweep.report.importance import Importance, at_the_ends, importances
from mnist_sweep.report.ranking import drawable, ranked
from mnist_sweep.report.settings_charts import MOST_AXES, parallel_settings, undrawn
from mnist_sweep.sweep.study_record import StudyRecord
from mnist_sweep.text import counted


def matters(record: StudyRecord) -> list[Block]:
    """Return what each setting explains, which could not be shown, and what lies at an end."""
    blocks: list[Block] = []
    for importance in importances(record):
        blocks += _importance(importance)
    lines = at_the_ends(record)
    if none := undrawn(record):
        lines.append(f"not drawn below, as no complete trial has them: {', '.join(none)}")
    complete = ranked(record)
    if infinite := len(complete) - len(drawable(complete)):
        trials = counted(infinite, "complete trial")
        lines.append(f"not drawn, as no finite {record.objectives[0]} is known of them: {trials}")
    shown = parallel_settings(record)
    if len(shown) == MOST_AXES < len(record.searched):
        which = "that matter most" if importances(record)[0].shares else "that were searched first"
        lines.append(f"parallel coordinates are of the {MOST_AXES} settings {which}")
    return [*blocks, Points(lines)] if lines else blocks


def _importance(found: Importance) -> list[Block]:
    trials = counted(found.trials, "trial")
    drawn = f", drawn of {found.of:,}" if found.of > found.trials else ""
    if found.why_not:
        return [Note(f"{found.objective} {found.at} of {trials}{drawn}: {found.why_not}.")]
    rows = [(name, f"{share:.0%}", f"all {trials}{drawn}") for name, share in found.shares.items()]
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
