"""What a study found.

    python -m mnist_sweep.report study=schedule-enhanced-mnist

study    the study's name
storage  where it is; sqlite:///multirun/optuna.db where that is left out
to       where the report goes; report/ in the sweep's directory where that is left out

index.html  the report as one page, which needs nothing beside it
report.md   the same as text, with the figures as PNG files
trials.csv  a row a trial, rejected ones too

What `python -m mnist_sweep.confirm study=...` has left in the sweep's directory is part of it.
Reading changes nothing: the storage may be on a read-only medium, and another program's.
"""

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from mnist_sweep.cli import arguments
from mnist_sweep.confirm.conclusion import read_conclusions
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import Picture, sections
from mnist_sweep.report.network import best_network
from mnist_sweep.report.page import page
from mnist_sweep.report.tables import write_trials
from mnist_sweep.report.text import markdown
from mnist_sweep.sweep.study_record import ReportError, StudyRecord, read_study
from mnist_sweep.text import one_line, relative

DOTS = 150  # an inch


@dataclass
class Report:
    """The command line; see the module."""

    study: str
    storage: str = "sqlite:///multirun/optuna.db"
    to: str | None = None


def main(asked: Report) -> None:
    """Write the report and say where it is."""
    record = read_study(asked.study, asked.storage)
    if asked.to:
        folder = Path(asked.to)
    elif record.home:
        folder = record.home / "report"
        if record.folder not in (None, record.home):
            print(f"{record.folder} is read-only: the report goes to {folder}")
    else:
        raise ReportError(
            f"study={record.name!r} cannot be a folder's name; name a folder with to="
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(record, folder)
    except OSError as error:
        raise ReportError(
            f"{folder} cannot be written to: {one_line(error)}; name another with to="
        ) from error


def _write(record: StudyRecord, folder: Path) -> None:
    write_trials(record, folder / "trials.csv")
    home = record.folder or record.home
    confirmed = read_conclusions(home) if home else []
    drawn: dict[str, tuple[Picture, Figure]] = charts(record, confirmed)
    pictures, missing = best_network(record) if record.ours else ({}, None)
    drawn |= pictures
    content = sections(record, [picture for picture, _ in drawn.values()], confirmed)
    figures = {name: figure for name, (_, figure) in drawn.items()}
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DOTS)
    (folder / "report.md").write_text(markdown(record.name, content), encoding="utf-8")
    html = page(record.name, content, figures)
    (folder / "index.html").write_text(html, encoding="utf-8")
    print(f"study {record.name}: {len(record.rows)} trials, {len(record.best)} of them ranked")
    if missing:
        print(f"no pictures of the best network: {missing}")
    print(f"report: {relative(folder / 'index.html')}, with report.md and trials.csv beside it")


if __name__ == "__main__":
    arguments.run(Report, __doc__ or "", main)
