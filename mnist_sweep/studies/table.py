"""The list of studies as a table that fits a terminal."""

from collections.abc import Sequence
from datetime import datetime

from mnist_sweep.cli.text_table import in_columns
from mnist_sweep.studies.listing import Entry, State
from mnist_sweep.text import duration, printable

HEADER = ("study", "trials", "state", "best", "params", "started", "changed")
DAYS = 48 * 3600  # seconds, from which on an age is said in days


def table(entries: Sequence[Entry], width: int, now: datetime) -> list[str]:
    """Return the lines of a table of studies, none wider than `width` but for a name by itself.

    A name that its column cannot hold has a line to itself. Times are ages: how long before `now`.
    """
    return in_columns([HEADER, *(cells(entry, now) for entry in entries)], width)


def cells(entry: Entry, now: datetime) -> tuple[str, ...]:
    """Return what a table says of a study, under `HEADER`; nothing where nothing is known."""
    name = printable(entry.name)
    if entry.state == State.UNREADABLE:
        return (name, "", entry.state, "", "", "", "")
    best, size = best_cells(entry)
    return (
        name,
        entry.progress,
        entry.state,
        best,
        size,
        *(age(time, now) for time in (entry.started, entry.changed)),
    )


def best_cells(entry: Entry) -> tuple[str, str]:
    """Return the best value and its network's size, or how many trials a front has."""
    if entry.best is None:
        return "", ""
    if len(entry.directions) > 1:
        return f"front of {len(entry.front):,}", ""
    size = entry.best.parameters
    return entry.best.text, "" if size is None else f"{size:,}"


def age(time: datetime | None, now: datetime) -> str:
    """Return how long ago something was: 48s, 2h03m, 12d; a clock that is ahead of ours says 0s."""
    if time is None:
        return ""
    seconds = max(0.0, (now - time).total_seconds())
    return duration(seconds) if seconds < DAYS else f"{seconds // 86400:,.0f}d"


def studies_counted(number: int) -> str:
    """Return a number of studies with its noun."""
    return "1 study" if number == 1 else f"{number:,} studies"
