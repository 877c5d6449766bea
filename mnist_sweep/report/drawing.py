"""How the charts look, and how a figure becomes part of a page."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from mnist_sweep.inspection.plots import INK, anybodys_texts
from mnist_sweep.sweep.study_record import Row
from mnist_sweep.sweep.trials.status import TrialStatus

# Okabe and Ito's colours, which colour-blind eyes tell apart (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, RED, GREEN = "#0072b2", "#e69f00", "#d55e00", "#009e73"
GREY, LINE, BLACK = "#8a94a0", "#d3d8de", "#000000"
DISTINCT = (RED, ORANGE, GREEN, "#cc79a7", "#56b4e9")
TOP = 5  # trials that stand out
MARKED = {
    TrialStatus.PRUNED: (GREY, "|"),
    TrialStatus.REJECTED: (ORANGE, "|"),
    TrialStatus.FAILED: (RED, "x"),
}
OF_TRIALS = "trials"  # how the ids of drawn groups begin whose parts are trials
STYLE = re.compile(r' style="[^"]*"')
FINE = re.compile(r"(\d\.\d\d)\d+")  # more digits of a place than can be seen
PART = re.compile(r"<(/?)(g|defs|use|path)\b[^>]*?(/?)>")


def svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG to stand in a page, whose colours its ink and its grid take on."""
    buffer = io.StringIO()
    # Text stays text, in the page's font; ids differ from figure to figure, not from day to day.
    with anybodys_texts(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(LINE, "var(--line)")
    text = re.sub(rf"{INK}|{BLACK}", "currentColor", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _with_trials(text)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return re.sub(
        r'<svg ([^>]*?)width="[^"]*"',
        r"<svg \1",
        re.sub(r' height="[\d.]+pt"', "", text, count=1),
        count=1,
    )


def of_trials(artist: Artist, rows: Iterable[Row]) -> None:
    """Say of which trials an artist's points or lines are, in its order, for the page's script."""
    artist.set_gid("-".join([OF_TRIALS, *(str(row.number) for row in rows)]))


def _with_trials(drawing: str) -> str:
    """Return an SVG drawing whose points and lines say of which trial they are, in few letters.

    A group that has another number of parts than trials stays as it is: a point outside the axes is
    not drawn, and the others would have the wrong trial.
    """
    kept, at = [], 0
    for group in re.finditer(rf'<g id="{OF_TRIALS}-([\d-]+)">', drawing):
        numbers = group[1].split("-")
        parts = list(_parts(drawing, group.end()))
        known = zip(numbers, parts, strict=True) if len(parts) == len(numbers) else ()
        styles = {found[0] if (found := STYLE.search(part[0])) else "" for part in parts}
        common = styles.pop() if len(styles) == 1 else ""  # written once, at the group
        kept += [drawing[at : group.start()], f"<g{common}>"]
        at = group.end()
        for number, part in known:
            tag = part[0].replace(common, "") if common else part[0]
            rest = FINE.sub(r"\1", tag.removeprefix(f"<{part[2]}"))
            kept += [
                drawing[at : part.start()].strip(" "),
                f'<{part[2]} data-trial="{number}"{rest}',
            ]
            at = part.end()
    return "".join([*kept, drawing[at:]])


def _parts(drawing: str, start: int) -> Iterator[re.Match[str]]:
    """Yield what is drawn in a group whose content begins there, but not what it only defines."""
    inside: list[str] = ["g"]
    for part in PART.finditer(drawing, start):
        closing, tag, empty = part.groups()
        if closing:
            inside.pop()
            if not inside:
                return
        else:
            if tag in ("use", "path") and "defs" not in inside:
                yield part
            if not empty:
                inside.append(tag)


def whole(axis: Axis) -> None:
    """Have an axis marked at whole numbers, though it is short."""
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def plain_log_ticks(axis: Axis) -> None:
    """Label few places in plain numbers: in less than a decade matplotlib's labels overlap."""
    low, high = axis.get_view_interval()
    subs = (1, 2, 5) if high < 200 * low else (1,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=5))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def axes_of(width: float = 7.0, height: float = 4.0) -> tuple[Figure, Axes]:
    """Return a figure of so many inches, with axes in the report's style."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style(axes)
    return figure, axes


def style(axes: Axes) -> None:
    """Give axes the report's style."""
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    for item in (axes.xaxis.label, axes.yaxis.label, axes.title):
        item.set_color(INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def legend(axes: Axes, **settings: Any) -> None:
    """Add a legend in the report's style; the settings are matplotlib's."""
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, **settings)


def mark(axes: Axes, places: Sequence[float], rows: Sequence[Row], status: TrialStatus) -> None:
    """Mark along the bottom where trials are that have no value of their own to show."""
    if places:
        (marks,) = axes.plot(
            places,
            [0.02] * len(places),
            MARKED[status][1],
            color=MARKED[status][0],
            markersize=7,
            label=status,
            transform=axes.get_xaxis_transform(),
        )
        of_trials(marks, rows)
