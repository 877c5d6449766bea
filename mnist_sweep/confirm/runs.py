"""The runs of a confirmation: each configuration with each seed, in a directory of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.confirm.candidates import Candidate, ConfirmError
from mnist_sweep.confirm.scores import LOSS, Scored, read_listed
from mnist_sweep.files import reason_and_place
from mnist_sweep.recorded_config import load_recorded
from mnist_sweep.run.directory import COMPLETE, DIVERGED, RunDirectory
from mnist_sweep.run.single import write_config
from mnist_sweep.text import relative

VALIDATION, TEST = "val", "test"


@dataclass(frozen=True)
class SeedRun:
    """One configuration with one seed, in a directory of its own, on a split of the data.

    `split_seed`: by which the training images are split, None for the configuration's own.
    """

    candidate: Candidate
    seed: int
    directory: Path
    split_seed: int | None = None

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
        return errors_in(self.directory, TEST)

    @property
    def ended(self) -> bool:
        """Whether it is trained to its end, or has diverged."""
        return self.result.get("status") in (COMPLETE, DIVERGED)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do before its test images are looked at."""
        status = self.result.get("status")
        listed = errors_in(self.directory, VALIDATION)
        return status == DIVERGED or (status == COMPLETE and listed.exists())

    @property
    def epochs(self) -> int:
        """How many epochs it is to be trained."""
        return int(self.candidate.config.epochs)

    @property
    def split(self) -> int:
        """The seed that the training images are split by."""
        return _own_split(self.candidate) if self.split_seed is None else self.split_seed

    @property
    def config(self) -> DictConfig:
        """Its candidate's config, with its own seeds."""
        config = self.candidate.config.copy()
        config.seed = self.seed
        config.data.split_seed = self.split
        return config


def errors_in(directory: Path, split: str) -> Path:
    """Return where a run directory lists its errors on a split, VALIDATION or TEST."""
    return directory / f"{split}_errors.json"


def scored(run: SeedRun, listed: Path, by: str) -> Scored:
    """Return a run's scores of one of its lists: hits, or losses with the other sign.

    Raises ConfirmError for a list that is damaged.
    """
    found = read_listed(listed)
    if by == LOSS and found.losses is None:
        raise ConfirmError(f"{listed} has no losses: delete it, and the same command writes them")
    return Scored(found.scores(by), found.fingerprint, run.split)


def planned(
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    folder: Path,
    splits: int | None = None,
) -> list[SeedRun]:
    """Return the runs, with their directories under `folder` begun by their configs.

    `splits`: how many other splits of the training images the seeds take in turn; None: that of the
    configuration. Raises ConfirmError for a directory in which another configuration has run, and
    for a folder that cannot be written to; nothing is written before all are known to be right.
    """
    runs = [
        SeedRun(c, seed, folder / c.key / str(seed), _split_of(c, n, splits))
        for c in candidates
        for n, seed in enumerate(seeds)
    ]
    for run in runs:
        _check_same(run)
    try:
        for run in runs:
            if not run.done:  # one that is was trained by what is written there
                write_config(run.config, run.directory)
    except OSError as error:
        raise ConfirmError(
            f"to={folder} cannot be written: {reason_and_place(error, folder)}"
        ) from error
    return runs


def _split_of(candidate: Candidate, position: int, splits: int | None) -> int | None:
    """Return the split of a seed: none is the one that the configuration was chosen on."""
    if splits is None:
        return None
    return _own_split(candidate) + 1 + position % splits


def _own_split(candidate: Candidate) -> int:
    return int(OmegaConf.select(candidate.config, "data.split_seed", default=0))


def _check_same(run: SeedRun) -> None:
    directory = RunDirectory(run.directory)
    if not (directory.metrics.exists() or directory.result.exists()):
        return  # what never ran may be another
    before = Candidate("", "", load_recorded(str(run.directory), "to"), {})
    if before.settings != Candidate("", "", run.config, {}).settings:
        raise ConfirmError(
            f"{relative(run.directory)} has run with other settings than {run.candidate.title} "
            "has now: choose another folder with to="
        )
