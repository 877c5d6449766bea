"""The live pages: what is made of a storage as it is now, for the list and for each study."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import escape

from mnist_sweep.confirm import conclusion
from mnist_sweep.passwords import without_password
from mnist_sweep.report.blocks import Note, Section
from mnist_sweep.report.live.source import Source
from mnist_sweep.report.page import Live, page, rendered
from mnist_sweep.report.study_report import study_report
from mnist_sweep.studies.listing import Entry, Monitors, State, entry_of, read_entries
from mnist_sweep.studies.table import best_cells, studies_counted
from mnist_sweep.sweep.study_record import StudyRecord, of_storage
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import printable

HEADER = ("study", "trials", "state", "best", "parameters", "started", "last change")
LIST = "Studies"  # the title of the first page
# Seconds after which a page is loaded again where no script runs.
RELOAD = 15
# Stands in a page for what is said of its age, which is known when it is sent.
LINE = "{the line that says how old this page is}"


@dataclass(frozen=True)
class Shown:
    """A page as it is now.

    `text`: it, with `LINE` where its age belongs. `age`: of when it is right, and what it says.
    `line`: that, and what has become known since. `version` differs where its content does.
    `trouble`: whether it could not be renewed.
    """

    text: str
    age: str
    version: str
    line: str
    trouble: bool = False

    @property
    def sent(self) -> str:
        """The page with its age."""
        return self.text.replace(LINE, str(escape(self.line)), 1)


def address_of(name: str | None, path: str | None = None) -> str:
    """Return the address of a study's page, or of another path for it; the list's without a name.

    Names are anything: they are no parts of a path, where a browser would resolve "..".
    """
    if name is None:
        return path or "/"
    return f"{path or '/study'}?name={quote(name, safe='', errors='surrogatepass')}"


def list_page(source: Source, owners: Monitors) -> Shown:
    """Make the list of a storage's studies. Raises whatever reading it does."""
    entries = read_entries(source.storage(), source.address, owners)
    rows = [_row(entry) for entry in entries]
    where = without_password(source.address)
    content: dict[str, Any] = {
        "rows": rows,
        "header": HEADER,
        "empty": f"{where} has no studies yet.",
    }
    version = _version(content)
    text = rendered("list.html.j2", LIST, _live(None, version), **content)
    return _new(text, f"as of {_clock()}: {studies_counted(len(entries))} in {where}", version)


def _new(text: str, age: str, version: str) -> Shown:
    return Shown(text, age, version, age)


def _row(entry: Entry) -> dict[str, object]:
    best, size = best_cells(entry)
    if entry.state == State.UNREADABLE:
        best = f"cannot be read: {entry.reason}"
    times = (_day(time) for time in (entry.started, entry.changed))
    return {
        "name": printable(entry.name),
        "link": address_of(entry.name),
        "progress": entry.progress,
        "done": min(entry.done, entry.total or 0),
        "total": entry.total,
        "cells": [entry.state.value, best, size, *times],
    }


def study_page(
    name: str, source: Source, owners: Monitors, before: Shown | None, due: datetime | None
) -> Shown:
    """Make a study's page; the one `before` where nothing has changed since.

    `due`: when it may be made again, None for at once; until then the page has a line more. Raises
    StudyReadError for a study that is not there, and whatever other people's values cause.
    """
    record = of_storage(name, source.address, source.storage())
    entry = entry_of(record.study, source.address, owners)
    now, version = standing(entry), _of_record(record)
    age = f"as of {_clock()}: {now}"
    if before is not None and before.version == version:
        return replace(before, age=age, line=age, trouble=False)
    if before is not None and due is not None:
        line = f"{before.age}. By now {now}; the page is made again at {due:%H:%M:%S}"
        return replace(before, line=line, trouble=False)
    made = study_report(record)
    live = _live(name, version)
    text = page(printable(name), made.sections, made.figures, made.trials, live)
    return _new(text, age, version)


def standing(entry: Entry) -> str:
    """Return how far a study is, in words."""
    of = "" if entry.total is None else f" of {entry.total:,}"
    trials = "trial" if (entry.total or entry.done) == 1 else "trials"
    running = entry.counts.get(TrialStatus.RUNNING, 0)
    state = f"{running} running" if entry.state == State.RUNNING and running else entry.state
    return f"{entry.done:,}{of} {trials} done, {state}"


def message_page(name: str | None, title: str, said: str) -> Shown:
    """Make a page that says why there is nothing to show yet."""
    version = _version(title, said)
    sections = [Section(title, [Note(said)])]
    live = _live(name, version)
    text = page(LIST if name is None else printable(name), sections, {}, None, live)
    return _new(text, f"as of {_clock()}", version)


def _live(name: str | None, version: str) -> Live:
    home = None if name is None else address_of(None)
    return Live(LINE, address_of(name, "/news"), version, RELOAD, home)


def _version(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _of_record(record: StudyRecord) -> str:
    """Return what changes where a study's report does."""
    rows = [(row.number, row.status, row.reason, row.values, len(row.curve)) for row in record.rows]
    return _version(rows, sorted(record.study.user_attrs.items()), _confirmed(record.homes))


def _confirmed(folders: Sequence[Path]) -> list[tuple[str, int]]:
    found = [each / conclusion.FILE for each in conclusion.confirmations(folders)]
    return [(str(path), path.stat().st_mtime_ns) for path in found]


def _clock() -> str:
    return f"{datetime.now():%H:%M:%S}"


def _day(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"
