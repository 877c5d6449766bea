"""The runs of a confirmation: each configuration with each seed, in a directory of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_sweep.config import load_recorded
from mnist_sweep.confirm.candidates import Candidate, ConfirmError
from mnist_sweep.files import where
from mnist_sweep.run.directory import COMPLETE, DIVERGED, RunDirectory
from mnist_sweep.run.single import write_config
from mnist_sweep.text import relative


@dataclass(frozen=True)
class SeedRun:
    """One configuration with one seed, in a directory of its own."""

    candidate: Candidate
    seed: int
    directory: Path

    @property
    def result(self) -> dict[str, Any]:
        """Its result so far."""
        return RunDirectory(self.directory).read_result() or {}

    @property
    def written_at(self) -> float:
        """When its result was last written, in seconds since the epoch; 0 where it has none."""
        try:
            return RunDirectory(self.directory).result.stat().st_mtime
        except OSError:
            return 0.0

    @property
    def errors(self) -> Path:
        """Where the test images are listed that it takes for something else."""
        return errors_in(self.directory)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        status = self.result.get("status")
        return status == DIVERGED or (status == COMPLETE and self.errors.exists())

    @property
    def epochs(self) -> int:
        """How many epochs it is to be trained."""
        return int(self.candidate.config.epochs)


def errors_in(directory: Path) -> Path:
    """Return where a run directory lists its errors on test."""
    return directory / "test_errors.json"


def planned(candidates: Sequence[Candidate], seeds: Sequence[int], folder: Path) -> list[SeedRun]:
    """Return the runs, with their directories under `folder` begun by their configs.

    Raises ConfirmError for a directory in which another configuration has run, and for a folder
    that cannot be written to; nothing is written before all are known to be right.
    """
    runs = [SeedRun(c, seed, folder / c.key / str(seed)) for c in candidates for seed in seeds]
    for run in runs:
        _check_same(run)
    try:
        for run in runs:
            if not run.done:  # one that is was trained by what is written there
                _write_config(run)
    except OSError as error:
        raise ConfirmError(f"to={folder} cannot be written: {where(error, folder)}") from error
    return runs


def _check_same(run: SeedRun) -> None:
    directory = RunDirectory(run.directory)
    if not (directory.metrics.exists() or directory.result.exists()):
        return  # what never ran may be another
    before = Candidate("", "", load_recorded(str(run.directory), "to"), {})
    if before.settings != run.candidate.settings:
        raise ConfirmError(
            f"{relative(run.directory)} has run with other settings than {run.candidate.title} "
            "has now: choose another folder with to="
        )


def _write_config(run: SeedRun) -> None:
    config = run.candidate.config.copy()
    config.seed = run.seed
    write_config(config, run.directory)
