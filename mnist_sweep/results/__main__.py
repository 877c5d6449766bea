"""What a study has found over seeds, as a file for other programs, which can be committed.

    python -m mnist_sweep.results study=ablation-batch_size to=batch_size.json
    python -m mnist_sweep.results study=overnight to=overnight.json
    python -m mnist_sweep.results confirmation=outputs/confirmation to=two_runs.json

study         a study that has the seed as an axis, such as those of search=ablation/..., or one
              that was confirmed
storage       where it is; sqlite:///multirun/optuna.db where that is left out
confirmation  the folder of a confirmation: which one, where a study has several; alone, one of runs
to            the JSON file; the study's name with .json where that is left out

docs/report.md has its keys. It names no place of this machine
but a --config-dir of the study's own command.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.confirm.conclusion import FILE, confirmations
from mnist_sweep.report.arms import MissingSeeds, arms
from mnist_sweep.results.summary import ResultsError, of_arms, of_confirmation, write
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.sweep.study_record import StudyRecord, read_study
from mnist_sweep.sweep.study_store import SEED
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted


@dataclass
class Results:
    """The command line; see the module."""

    study: str | None = None
    storage: str = STORAGE
    confirmation: str | None = None
    to: str | None = None


def main(asked: Results) -> None:
    """Write figures down; say where they are."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not (asked.study or asked.confirmation):
        raise ArgumentError("name a study=, or the folder of a confirmation=")
    arguments.check_effect(asked, ["storage"], bool(asked.study), "without study=")
    record = read_study(asked.study, asked.storage) if asked.study else None
    summary = _summary(asked, record)
    path = Path(asked.to or f"{_name(asked).replace('/', '-')}.json")
    if asked.confirmation and path.resolve() == (Path(asked.confirmation) / FILE).resolve():
        raise ArgumentError(f"to={path} is the confirmation's own record: name another file")
    write(summary, path)
    number = len(summary.get("arms") or summary["configurations"])
    print(f"{counted(number, 'configuration')} of {_name(asked)}: {path}")
    for how in (TrialStatus.FAILED, TrialStatus.PRUNED):
        for missing in summary.get(how, ()):
            print(f"without a value, and in no mean: {MissingSeeds(**missing, how=how).sentence}")


def _name(asked: Results) -> str:
    return asked.study or Path(str(asked.confirmation)).resolve().name


def _summary(asked: Results, record: StudyRecord | None) -> dict[str, Any]:
    """Return the figures of a confirmation, or of the seeds that a search had as an axis."""
    if asked.confirmation:
        return of_confirmation(Path(asked.confirmation), record)
    assert record is not None
    found = confirmations(record.homes)
    if len(arms(record)) > 1 or (SEED in record.searched and not found):
        return of_arms(record)
    return of_confirmation(_only_confirmation(record, found), record)


def _only_confirmation(record: StudyRecord, found: list[Path]) -> Path:
    """Return a study's confirmation. Raises ResultsError where it has none, or several."""
    if not found:
        raise ResultsError(
            f"study {record.name} has no figures over seeds: confirm it "
            f"(python -m mnist_sweep.confirm study={record.name}), or search with the seed as an "
            "axis, as search=ablation/batch_size does"
        )
    if len(found) > 1:
        several = ", ".join(map(str, found))
        raise ResultsError(
            f"study {record.name} has several confirmations: {several}; name one with confirmation="
        )
    return found[0]


if __name__ == "__main__":
    arguments.run(Results, __doc__ or "", main, wait="reading the study")
