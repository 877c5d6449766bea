"""What Hydra makes for a run before the run begins, taken away again where it never did."""

import logging
from contextlib import suppress
from pathlib import Path

RECORDED = ("metrics.jsonl", "result.json", "checkpoints")  # what a run that has begun leaves
HYDRAS = ("config.yaml", "hydra.yaml", "overrides.yaml")


def leave_nothing(directory: Path, name: str, stop: Path, made: bool = True) -> None:
    """Remove the directory of a run that was refused, and the folders above it that are empty.

    Only what Hydra wrote is removed: its record and the log `name`.log. A directory in which a run
    has begun, and whatever else lies there, stays; so do `stop` and what is not below it, and the
    directory itself where it was not `made` for the run.
    """
    if any((directory / recorded).exists() for recorded in RECORDED):
        return
    with suppress(OSError):
        for path in (*(directory / ".hydra" / name for name in HYDRAS), directory / f"{name}.log"):
            _close(path)
            path.unlink(missing_ok=True)
    above = [folder for folder in directory.parents if stop in folder.parents]
    with suppress(OSError):  # something else is in it
        for folder in (directory / ".hydra", *([directory, *above] if made else [])):
            if folder.exists():
                folder.rmdir()


def _close(path: Path) -> None:
    """Close the log handlers that write to a file."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename) == path:
            root.removeHandler(handler)
            handler.close()
