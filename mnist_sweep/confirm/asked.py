"""What a confirmation is asked: its command line, checked, and the folder that it goes to."""

import math
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.comparisons import MARGIN
from mnist_sweep.study_folder import CONFIRMATION, STORAGE
from mnist_sweep.sweep.study_record import StudyRecord


@dataclass
class Confirm:
    """The command line; see `python -m mnist_sweep.confirm --help`."""

    study: str | None = None
    storage: str = STORAGE
    top: int = 3
    default: bool = True
    runs: str = ""
    seeds: int = 5
    race: bool = True
    hours: float | None = None
    margin: float = 100 * MARGIN
    ablate: bool = False
    first: int = 1000
    split_seeds: int | None = None
    epochs: int | None = None
    data: str | None = None
    n_jobs: int | None = None
    to: str | None = None


def folder_of(asked: Confirm, record: StudyRecord | None) -> Path:
    """Return where the runs go: other data, epochs or splits are another confirmation.

    Raises ConfirmError for a study whose name is none of a folder.
    """
    if asked.to:
        return Path(asked.to)
    home = record.home if record else Path("outputs")
    if home is None:
        raise ConfirmError(
            f"study={asked.study!r} cannot be a folder's name; name a folder with to="
        )
    name = CONFIRMATION
    if asked.data is not None:
        name += f"-{asked.data}"
    if asked.epochs is not None:
        name += f"-{asked.epochs}-epoch{'' if asked.epochs == 1 else 's'}"
    if asked.split_seeds is not None:
        name += f"-{asked.split_seeds}-split{'' if asked.split_seeds == 1 else 's'}"
    return home / name


def check_asked(asked: Confirm) -> None:
    """Refuse what cannot be asked, by ArgumentError."""
    for name, value, least in (
        ("top", asked.top, 1),
        ("seeds", asked.seeds, 2),
        ("first", asked.first, 0),
        ("epochs", asked.epochs, 1),
        ("split_seeds", asked.split_seeds, 1),
        ("n_jobs", asked.n_jobs, 1),
    ):
        if value is not None and value < least:
            why = ": one run has no interval" if name == "seeds" else ""
            raise ArgumentError(f"{name} must be at least {least}, but got {value}{why}")
    if asked.hours is not None and not 0 < asked.hours < math.inf:
        raise ArgumentError(f"hours must be above 0, but got {asked.hours:g}")
    if not 0 <= asked.margin <= 100:
        raise ArgumentError(f"margin must be from 0 to 100 points, but got {asked.margin:g}")
    if asked.split_seeds is not None and asked.split_seeds > asked.seeds:
        raise ArgumentError(
            f"split_seeds={asked.split_seeds} are more splits than seeds={asked.seeds} can take"
        )
    if asked.ablate and not (asked.study and asked.default):
        lacking = "study=" if not asked.study else "default=true"
        raise ArgumentError(f"ablate=true needs {lacking}: the way begins at its default")
    # Seeds are below 2**32, and each configuration's own is passed over.
    most = 2**32 - asked.seeds - asked.top - 1 - len(arguments.paths(asked.runs))
    if asked.first > most:
        raise ArgumentError(f"first must be at most {most}, but got {asked.first}")
    if not asked.study and not arguments.paths(asked.runs):
        raise ArgumentError("give study=, or run directories with runs=; see --help")
    arguments.check_effect(
        asked, ["storage", "top", "default"], bool(asked.study), "without study="
    )
