"""What a report on several studies says and draws."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mnist_sweep.inspection.plots import anybodys_texts
from mnist_sweep.report.blocks import Block, Note, Picture, Points, Section, Table
from mnist_sweep.report.drawing import BLUE, DISTINCT, axes_of, legend
from mnist_sweep.report.objective_values import axis_label, measure, writer
from mnist_sweep.report.side_by_side import (
    Band,
    Group,
    band,
    busy_seconds,
    by_time,
    by_trials,
    cautions,
)
from mnist_sweep.sweep.study_record import StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import duration

COLOURS = (BLUE, *DISTINCT[1:])  # from the first on as far apart as they can be
UNITS = ((7200.0, "hours", 3600.0), (120.0, "minutes", 60.0), (0.0, "seconds", 1.0))
STYLES = ("-", "--", ":", "-.")  # beside the colours, of which there are few
HEADER = (
    "study",
    "trials",
    "pruned",
    "best",
    "trial",
    "parameters",
    "epochs",
    "time",
    "best after",
)


@anybodys_texts()
def charts(groups: Sequence[Group]) -> dict[str, tuple[Picture, Figure]]:
    """Draw the best so far against trials and against time, where any study has a value."""
    first = groups[0].records[0]
    drawn: dict[str, tuple[Picture, Figure]] = {}
    for name, curve_of in (("by-trials", by_trials), ("by-time", by_time)):
        bands = [found for group in groups if (found := band(group, curve_of)) is not None]
        if bands:
            axis, unit = "trials that have ended", 1.0
            if curve_of is by_time:
                longest = max(each.places[-1] for each in bands)
                called, unit = next((n, size) for least, n, size in UNITS if longest >= least)
                axis = f"{called} in which trials ran"
            shows = f"the best {first.objectives[0]} so far against {axis}"
            drawn[name] = (Picture(name, shows), _drawn(bands, axis, first, unit))
    return drawn


def _drawn(bands: Sequence[Band], x: str, of: StudyRecord, unit: float) -> Figure:
    figure, axes = axes_of()
    for number, each in enumerate(bands):
        colour = COLOURS[number % len(COLOURS)]
        style = STYLES[number // len(COLOURS) % len(STYLES)]
        places = [place / unit for place in each.places]
        # Matplotlib leaves what begins with an underscore out of legends.
        label = f" {each.label}" if each.label.startswith("_") else each.label
        axes.step(places, each.middle, style, where="post", color=colour, label=label)
        if each.low != each.high:
            axes.fill_between(
                places, each.low, each.high, step="post", color=colour, alpha=0.2, linewidth=0
            )
    measure(axes.yaxis, of)
    axes.set(xlabel=x, ylabel=f"best {axis_label(of)}")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    legend(axes, ncols=min(2, len(bands)), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def sections(groups: Sequence[Group], pictures: Sequence[Picture]) -> list[Section]:
    """Return the report in its order."""
    records = list({r.name: r for group in groups for r in group.records}.values())
    warned = cautions(groups)
    blocks: list[Block] = [Table(HEADER, [_row(record) for record in records])]
    blocks += [Points(warned)] if warned else []
    blocks.append(
        Note(
            "Each best is one run, chosen and judged by the same value: the best of many runs "
            "looks better than it is. A line with a band is the median of several studies, the "
            "band reaches from the lowest to the highest, where all have a value. Two single "
            "studies differ by chance too."
        )
    )
    found = [Section("The studies", blocks)]
    return found + ([Section("The best so far", list(pictures))] if pictures else [])


def _row(record: StudyRecord) -> tuple[str, ...]:
    counts, clock = record.counts, busy_seconds(record)
    ended = str(len(record.finished)), str(counts[TrialStatus.PRUNED])
    spent = f"{record.epochs_trained:,}" if record.ours else ""
    time = duration(max(clock.values())) if clock else ""
    if not record.best:
        return record.name, *ended, "none", "", "", spent, time, ""
    best = record.best[0]
    parameters = best.attributes.get("parameters")
    size = f"{parameters:,}" if isinstance(parameters, int) else ""
    after = duration(clock[best.number]) if best.number in clock else ""
    value = writer(record).one(best.values[0])
    return record.name, *ended, value, str(best.number), size, spent, time, after
