"""Look at runs in TensorBoard: `python -m mnist_sweep.tensorboard [key=value ...]`.

  study=NAME                   the study whose trials are shown
  all=false                    whether everything is shown, however much it is
  sweeps=multirun              where each study's trials are in a folder of its name
  runs=outputs                 where single runs are
  host=127.0.0.1 port=6006     where TensorBoard listens

Without a study everything is shown, as long as TensorBoard shows that many runs at first: beyond 40
it unticks all of them. From there on it is the latest study.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.cli import arguments
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.best_link import EVENTS
from mnist_sweep.text import counted, nearest, printable

# `maxNamesToEnableByDefault` in TensorBoard's page (seen in 2.21).
TICKED = 40
SHOWN = 5  # studies in a message


class BoardError(UserError):
    """A study without runs to show, or settings that ask for two things."""


@dataclass
class Board:
    """The command line; see the module."""

    study: str | None = None
    all: bool = False
    sweeps: str = "multirun"
    runs: str = "outputs"
    host: str = "127.0.0.1"
    port: int = 6006


@dataclass(frozen=True)
class Shown:
    """What TensorBoard is told to show, as its own options, and what there is to say of it."""

    options: Sequence[str]
    said: str


def main(asked: Board) -> None:
    """Start TensorBoard in this process's place."""
    arguments.check_address(asked.host, asked.port)
    found = choose(asked)
    print(found.said, flush=True)
    words = ["-m", "tensorboard.main", *found.options]
    words += ["--host", asked.host, "--port", str(asked.port)]
    os.execv(sys.executable, [sys.executable, *words])


def choose(asked: Board) -> Shown:
    """Decide what is shown. Raises BoardError where there is nothing by that name."""
    if asked.study is not None and asked.all:
        raise BoardError(f"study={asked.study} and all=true: leave one out")
    if asked.study is not None:
        return _one(_folder(asked.study, Path(asked.sweeps)))
    studies = _studies(Path(asked.sweeps))
    singles = _runs(Path(asked.runs))
    total = len(singles) + sum(len(found) for found in studies.values())
    if not total:
        raise BoardError(
            f"there are no runs in {asked.runs}/ or {asked.sweeps}/: train one with "
            "tracking=tensorboard, or name other folders (runs=, sweeps=)"
        )
    if total <= TICKED or asked.all or not studies:
        for name, folder in (("runs", asked.runs), ("sweeps", asked.sweeps)):
            if set(folder) & set(",:"):  # which separate the folders that TensorBoard is given
                raise BoardError(
                    f"{name}={folder}: TensorBoard takes no folder with a comma or a colon beside "
                    "another; name one study, or start tensorboard --logdir yourself"
                )
        here = f"{_named('runs', asked.runs)},{_named('sweeps', asked.sweeps)}"
        return Shown(["--logdir_spec", here], f"{counted(total, 'run')} in TensorBoard")
    latest = max(studies, key=lambda folder: _age(studies[folder]))
    others = [folder.name for folder in studies if folder != latest]
    more = f", or study={_listed(others)}" if others else ""
    shown = _one(latest)
    why = f"of {total:,} runs, the latest study: TensorBoard unticks all beyond {TICKED}"
    return Shown(shown.options, f"{shown.said} ({why}); all=true shows all{more}")


def _named(setting: str, folder: str) -> str:
    """Return a folder with the name of its group of runs: itself, or the setting's if absolute.

    TensorBoard takes a "/" in front for a path without a name, and a "://" for an address.
    """
    if folder.startswith("/"):
        return f"{setting}:/{folder.lstrip('/')}"
    return f"{folder}:{folder}"


def _one(folder: Path) -> Shown:
    count = counted(len(_runs(folder)), "run")
    said = f"study {printable(folder.name)}: {count} in TensorBoard"
    return Shown(["--logdir", str(folder)], said)


def _folder(study: str, sweeps: Path) -> Path:
    folder = sweeps / study
    if folder.resolve() != sweeps.resolve() and _runs(folder):
        return folder
    known = [found.name for found in _studies(sweeps)]
    raise BoardError(
        f"study={study} has no runs with events in {folder}: {nearest(study, known)}; "
        "sweeps= names another folder of studies"
    )


def _studies(sweeps: Path) -> dict[Path, list[Path]]:
    """Return the folders of studies by name, each with the runs in it that have events."""
    folders = sorted(path for path in sweeps.glob("*") if path.is_dir())
    return {folder: found for folder in folders if (found := _runs(folder))}


def _runs(folder: Path) -> list[Path]:
    return sorted({path.parent for path in folder.rglob(f"{EVENTS}.*")})


def _age(runs: Sequence[Path]) -> float:
    """Return when the last of some runs was begun or written to, in seconds."""
    return max(run.stat().st_mtime for run in runs)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(printable(name) for name in names[:SHOWN]) + more


if __name__ == "__main__":
    arguments.run(Board, __doc__ or "", main)
