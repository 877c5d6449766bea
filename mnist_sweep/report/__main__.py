"""What a study found.

    python -m mnist_sweep.report study=schedule-enhanced-mnist

study    the study's name
storage  where it is; sqlite:///multirun/optuna.db where that is left out
to       where the report goes; multirun/<study>/report where that is left out

index.html  the report as one page, which needs nothing beside it
report.md   the same as text, with the figures as PNG files
trials.csv  a row a trial, rejected ones too

What `python -m mnist_sweep.confirm study=...` has left in multirun/<study>/ is part of it.
"""

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from mnist_sweep import arguments
from mnist_sweep.confirm.conclusion import read_conclusions
from mnist_sweep.files import writing
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import Picture, sections
from mnist_sweep.report.network import best_network
from mnist_sweep.report.page import page
from mnist_sweep.report.reading import read_study
from mnist_sweep.report.tables import write_trials
from mnist_sweep.report.text import markdown
from mnist_sweep.text import relative

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
    folder = Path(asked.to) if asked.to else Path("multirun") / asked.study / "report"
    with writing("to", folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_trials(record, folder / "trials.csv")
    confirmed = read_conclusions(Path("multirun") / asked.study)
    drawn: dict[str, tuple[Picture, Figure]] = charts(record, confirmed)
    pictures, missing = best_network(record)
    drawn |= pictures
    content = sections(record, [picture for picture, _ in drawn.values()], confirmed)
    figures = {name: figure for name, (_, figure) in drawn.items()}
    with writing("to", folder):
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
