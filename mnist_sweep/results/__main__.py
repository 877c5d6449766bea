"""What a search over seeds has found, as a file for other programs, which can be committed.

    python -m mnist_sweep.results study=ablation-batch_size to=batch_size.json

study    a study that has the seed as an axis, such as those of search=ablation/...
storage  where it is; sqlite:///multirun/optuna.db where that is left out
to       the JSON file; NAME.json of the study where that is left out

docs/report.md has its keys. It names no place of this machine.
"""

from dataclasses import dataclass
from pathlib import Path

import optuna

from mnist_sweep.cli import arguments
from mnist_sweep.results.summary import of_arms, write
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.text import counted


@dataclass
class Results:
    """The command line; see the module."""

    study: str
    storage: str = "sqlite:///multirun/optuna.db"
    to: str | None = None


def main(asked: Results) -> None:
    """Write a study's figures; say where they are."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    summary = of_arms(read_study(asked.study, asked.storage))
    path = Path(asked.to or f"{asked.study.replace('/', '-')}.json")
    write(summary, path)
    configurations = counted(len(summary["arms"]), "configuration")
    print(f"{configurations} of study {asked.study}: {path}")


if __name__ == "__main__":
    arguments.run(Results, __doc__ or "", main, wait="reading the study")
