"""A study as a table of its trials, its best and its confirmation; reading changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.confirm.conclusion import Conclusion, read_conclusions
from mnist_sweep.errors import UserError
from mnist_sweep.study_folder import CONFIRMATION, STORAGE
from mnist_sweep.sweep.read_only import StorageError
from mnist_sweep.sweep.study_record import Row, StudyReadError, read_study
from mnist_sweep.text import shortened

if TYPE_CHECKING:
    import pandas as pd


class NotInstalled(UserError):
    """A package that an optional function needs."""


@dataclass(frozen=True, eq=False)
class Study:
    """A study as it was when it was read.

    `objectives` and `directions` ("minimize", "maximize"): one each for what it searches. `trials`:
    a mapping for each trial by number, rejected ones too, with

    - `number`, `status`, and `reason`: how it ended, and why
    - `values`: the objectives by name; empty unless it is complete
    - `settings`: what was drawn, by the full name of the setting
    - `figures`: what its run recorded, such as parameters, val_acc (a fraction) and seconds
    - `curve`: the reported objective by epoch
    - `directory`: its run directory where that is now, None where it has none
    - `overrides`: what `train` takes to train it again; empty where that is not known
    - `began`, `ended`: datetimes, None where it has not

    `front`: the best trials. With one objective that is the best trial alone, with several those of
    which no other is better in all, by the first objective. `folder`: the sweep's directory.
    """

    name: str
    objectives: list[str]
    directions: list[str]
    trials: list[dict[str, Any]]
    front: list[dict[str, Any]]
    folder: Path | None
    _homes: Sequence[Path] = field(default=(), repr=False)

    @property
    def best(self) -> dict[str, Any] | None:
        """The best complete trial that meets the budget; None while there is none.

        Raises StudyReadError where there are several objectives.
        """
        if len(self.objectives) > 1:
            raise StudyReadError(
                f"study {self.name} has the objectives {', '.join(self.objectives)}: its best "
                "trials are a front, .front"
            )
        return self.front[0] if self.front else None

    @property
    def conclusion(self) -> Conclusion | None:
        """What `python -m mnist_sweep.confirm study=...` has concluded; None before that.

        Accuracies are fractions, with their intervals. Raises ConfirmError for a damaged record.
        """
        found = read_conclusions(self._homes, CONFIRMATION)
        return found[0] if found else None

    def frame(self) -> "pd.DataFrame":
        """Return the trials as a table, a row each with the trial's number as index.

        Columns are status and reason, the objectives, the settings, the figures that are no
        objective, directory, began and ended. Raises NotInstalled where pandas is not.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise NotInstalled(
                "frame() needs pandas: pip install pandas, or use .trials, a list of mappings"
            ) from error
        rows = [_flat(trial, self.objectives) for trial in self.trials]
        return pd.DataFrame(rows, index=pd.Index([t["number"] for t in self.trials], name="number"))


def study(name: str, storage: str = STORAGE) -> Study:
    """Read a study, of this project or of another application that our sweeper has searched.

    `storage`: its address, as `hydra.sweeper.storage` has it. The sweep may be running. Raises
    StorageError where there is no such storage, and StudyReadError where it has no such study.
    """
    if not isinstance(storage, str):
        raise StorageError(
            f"storage must be an address such as {STORAGE}, but got {shortened(storage)}"
        )
    record = read_study(name, storage)
    trials = {row.number: _trial(row, record.objectives) for row in record.rows}
    several = len(record.directions) > 1
    front: Sequence[Row] = record.best if several else record.best[:1]
    return Study(
        record.name,
        record.objectives,
        record.directions,
        [trials[number] for number in sorted(trials)],
        [trials[row.number] for row in front],
        record.folder,
        record.homes,
    )


def _trial(row: Row, objectives: list[str]) -> dict[str, Any]:
    figures = dict(row.attributes)
    directory = figures.pop("run_directory", None)
    figures.pop("overrides", None)
    figures.pop("status", None)
    return {
        "number": row.number,
        "status": str(row.status),
        "reason": row.reason,
        "values": dict(zip(objectives, row.values, strict=False)),
        "settings": dict(row.settings),
        "figures": figures,
        "curve": dict(row.curve),
        "directory": None if directory is None else Path(directory),
        "overrides": row.command,
        "began": row.began,
        "ended": row.ended,
    }


def _flat(trial: dict[str, Any], objectives: Sequence[str]) -> dict[str, Any]:
    """Return a trial's row, in which a column of an objective's name has complete trials alone."""
    figures = trial["figures"].items()
    return {
        "status": trial["status"],
        "reason": trial["reason"],
        **{name: trial["values"].get(name) for name in objectives},
        **trial["settings"],
        **{name: value for name, value in figures if name not in objectives},
        "directory": trial["directory"],
        "began": trial["began"],
        "ended": trial["ended"],
    }
