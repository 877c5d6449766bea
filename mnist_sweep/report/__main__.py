"""What a study found.

    python -m mnist_sweep.report study=schedule-enhanced-mnist

study    the study's name
storage  where it is; sqlite:///multirun/optuna.db where that is left out
to       where the report goes; multirun/<study>/report where that is left out

report.md   what was searched and what it cost, the best, what matters, how to do it again
trials.csv  a row a trial, rejected ones too
"""

from dataclasses import dataclass
from pathlib import Path

from mnist_sweep import arguments
from mnist_sweep.report.reading import read_study
from mnist_sweep.report.tables import write_trials
from mnist_sweep.report.text import report
from mnist_sweep.text import relative


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
    folder.mkdir(parents=True, exist_ok=True)
    write_trials(record, folder / "trials.csv")
    (folder / "report.md").write_text(report(record))
    print(f"study {record.name}: {len(record.rows)} trials, {len(record.best)} of them ranked")
    print(f"report: {relative(folder / 'report.md')}, {relative(folder / 'trials.csv')}")


if __name__ == "__main__":
    arguments.run(Report, __doc__ or "", main)
