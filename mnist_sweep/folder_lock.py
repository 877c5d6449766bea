"""One program at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_sweep.errors import UserError
from mnist_sweep.files import writing

LOCK = ".lock"


@contextmanager
def alone_in(folder: Path, setting: str, busy: UserError, lock: str = LOCK) -> Iterator[None]:
    """Make a folder and hold its lock file for the block.

    Raises `busy` at once where another process holds it, and FileError, which names `setting`,
    where the folder cannot be written.
    """
    file = FileLock(folder / lock)
    with writing(setting, folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            file.acquire(timeout=0)
        except Timeout as error:
            raise busy from error
    try:
        yield
    finally:
        file.release()


@contextmanager
def holding(folder: Path, busy: UserError) -> Iterator[None]:
    """Hold a folder itself for the block, which leaves no file in it.

    Raises `busy` at once where another process holds it. Where the system cannot lock a folder, or
    there is none yet, nothing is held.
    """
    try:
        import fcntl  # Windows has none

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        except OSError:  # a network's file system may not lock folders
            pass
        yield
    finally:
        os.close(descriptor)
