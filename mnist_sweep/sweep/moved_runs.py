"""Where a study's runs are, also when they have been moved since it recorded them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf

from mnist_sweep.study_folder import SUMMARY
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.read_only import file_of
from mnist_sweep.text import relative

# What a folder's summary says of its study where it says nothing: no identity that a study, which
# others may have written, can have.
UNKNOWN = object()


class Places:
    """The folders in which a study's runs may be: where its sweep wrote, and where that is now.

    A folder counts where its summary, which every sweep leaves there, is of this study.
    """

    def __init__(self, study: optuna.Study, address: str) -> None:
        self.name = study.study_name
        self.identity = study.user_attrs.get(study_store.ID)
        self.recorded = study.user_attrs.get(study_store.DIRECTORY)
        path = file_of(address)
        # A study's folder lies beside its database, or holds it.
        self.bases = [Path("multirun"), *([path.parent] if path else [])]
        self.known: dict[Path, Any] = {}
        self.folder = next(self._found(), None)

    def _found(self) -> Iterator[Path]:
        seen: set[Path] = set()
        for folder in self._candidates():
            if folder not in seen and self._study_of(folder) == self.identity:
                yield folder
            seen.add(folder)

    def _candidates(self) -> Iterator[Path]:
        if self.identity is None:
            return
        if isinstance(self.recorded, str):
            yield Path(self.recorded)
        for base in self.bases:
            yield base / self.name
            yield base / "multirun" / self.name
            yield base
        for base in self.bases:  # renamed
            yield from sorted(path.parent for path in base.glob(f"*/{SUMMARY}"))

    def run(self, number: int, recorded: Any) -> str | None:
        """Return the directory of a trial's run, and what is recorded where that is nowhere here.

        None where it has recorded none, or another study's run is there now.
        """
        if not isinstance(recorded, str) or not recorded:
            return None
        before = Path(recorded)
        try:
            there = before.is_dir()
        except OSError:  # of another system, or no path at all: longer than one may be here
            return None
        if there and self._study_of(before.parent) in (self.identity, UNKNOWN):
            return recorded
        if self.folder is not None:
            for name in (before.name, str(number)):
                if name and (self.folder / name).is_dir():
                    return relative(self.folder / name)
        return None if there else recorded

    def _study_of(self, folder: Path) -> Any:
        """Return the identity of the study whose sweep wrote to a folder."""
        if folder not in self.known:
            try:
                loaded = OmegaConf.load(folder / SUMMARY)
                found = OmegaConf.select(loaded, "study_id", default=UNKNOWN)
            except Exception:  # none, or not readable, or of another program
                found = UNKNOWN
            self.known[folder] = found
        return self.known[folder]
