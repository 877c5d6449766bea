"""What a study found.

    python -m mnist_sweep.report study=schedule-enhanced-mnist

    python -m mnist_sweep.report studies='random,tpe-*'

    python -m mnist_sweep.report live=true study=schedule-enhanced-mnist

study    the study's name
studies  instead of one: two or more names or patterns, separated by commas, whose studies are
         compared. One line of the charts each; a pattern's studies are replicates, with a band
storage  where they are; sqlite:///multirun/optuna.db where that is left out
to       where the report goes; report/ in the sweep's directory where that is left out, and
         outputs/studies/<names> for several studies
live     serve the page on this machine and renew it while a sweep runs, instead of writing it; of
         all studies where none is named. Nothing is written
port     where the live page is; 8090 where that is left out

index.html  the report as one page, which needs nothing beside it
report.md   the same as text, with the figures as PNG files
trials.csv  a row a trial, rejected ones too

What `python -m mnist_sweep.confirm study=...` has left in the sweep's directory is part of it.
Reading changes nothing: the storage may be on a read-only medium, and another program's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from matplotlib.figure import Figure

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.files import replacing
from mnist_sweep.inspection import plots
from mnist_sweep.report import comparison_page, side_by_side
from mnist_sweep.report.blocks import Section
from mnist_sweep.report.live import server
from mnist_sweep.report.page import page
from mnist_sweep.report.study_report import StudyReport, study_report
from mnist_sweep.report.tables import write_trials
from mnist_sweep.report.text import markdown
from mnist_sweep.study_folder import REPORT, STORAGE
from mnist_sweep.sweep.study_record import StudyReadError, StudyRecord, read_study
from mnist_sweep.text import counted, one_line, printable, relative

DOTS = 150  # an inch


@dataclass
class Report:
    """The command line; see the module."""

    study: str | None = None
    storage: str = STORAGE
    to: str | None = None
    studies: str | None = None
    live: bool = False
    port: int | None = None


def main(asked: Report) -> None:
    """Write the report and say where it is, or serve it."""
    if asked.live:
        _serve(asked)
        return
    if asked.port is not None:
        raise ArgumentError(f"port={asked.port} has an effect with live=true only")
    if (asked.study is None) == (asked.studies is None):
        raise ArgumentError("give either study=, or studies= with two names; see --help")
    if asked.studies is not None:
        _compare(asked.studies, asked)
        return
    record = read_study(str(asked.study), asked.storage)
    if asked.to:
        folder = Path(asked.to)
    elif record.home:
        folder = record.home / REPORT
        if record.folder not in (None, record.home):
            print(f"{record.folder} is read-only: the report goes to {folder}")
    else:
        raise StudyReadError(
            f"study={record.name!r} cannot be a folder's name; name a folder with to="
        )
    made = study_report(record)
    with _written_to(folder):
        _write(record, made, folder)


def _serve(asked: Report) -> None:
    """Serve the live pages until Ctrl-C."""
    idle = [f"{name}={getattr(asked, name)}" for name in ("to", "studies") if getattr(asked, name)]
    if idle:
        raise ArgumentError(
            f"{idle[0]} has no effect with live=true, which writes nothing and has a page for "
            "each study: leave one of them out"
        )
    server.serve(asked.storage, asked.study, server.PORT if asked.port is None else asked.port)


@contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    """Make a folder, and say in one line where nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StudyReadError(
            f"{folder} cannot be written to: {one_line(error)}; name another with to="
        ) from error


def _compare(names: str, asked: Report) -> None:
    """Write the report on several studies."""
    groups = side_by_side.read_groups(
        [name.strip() for name in names.split(",") if name.strip()], asked.storage
    )
    key = "+".join(_in_a_folders_name(group.label) for group in groups)
    folder = Path(asked.to) if asked.to else Path("outputs", "studies", key)
    drawn = comparison_page.charts(groups)
    title = ", ".join(group.label for group in groups)
    content = comparison_page.sections(groups, [picture for picture, _ in drawn.values()])
    with _written_to(folder):
        _write_pages(title, content, {name: figure for name, (_, figure) in drawn.items()}, folder)
    read = sum(len(group.records) for group in groups)
    print(f"{counted(len(groups), 'line')} of {read} studies")
    for line in side_by_side.cautions(groups):
        print(printable(line))
    print(f"report: {relative(folder / 'index.html')}, with report.md beside it")


def _in_a_folders_name(label: str) -> str:
    """Return a study's name or pattern as a part of a folder's name, which no other label has."""
    return re.sub(r"[^\w.-]", lambda found: quote(found[0], "", errors="surrogatepass"), label)


def _write(record: StudyRecord, made: StudyReport, folder: Path) -> None:
    write_trials(record, folder / "trials.csv")
    _write_pages(record.name, made.sections, made.figures, folder, made.trials)
    name = printable(record.name)
    print(f"study {name}: {len(record.rows)} trials, {len(record.best)} of them ranked")
    if made.missing:
        print(f"no pictures of the best network: {printable(made.missing)}")
    print(f"report: {relative(folder / 'index.html')}, with report.md and trials.csv beside it")


def _write_pages(
    title: str,
    content: Sequence[Section],
    figures: Mapping[str, Figure],
    folder: Path,
    trials: Mapping[str, Any] | None = None,
) -> None:
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png", DOTS)
    for name, text in (
        ("report.md", markdown(title, content)),
        ("index.html", page(title, content, figures, trials)),
    ):
        with replacing(folder / name) as new:
            new.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    arguments.run(Report, __doc__ or "", main, wait="writing the report")
