"""Files that are replaced whole, and what to say where one cannot be read or written."""

import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnist_sweep.errors import UserError, reason, shown
from mnist_sweep.text import one_line, printable

DATA_ROOT = "data"  # where data sets are unless a user says where: an empty variable says nothing
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")  # what `replacing` writes to


class FileError(UserError):
    """A file or a folder that cannot be read or written."""


def users_folder(setting: str, given: str, default: str) -> Path:
    """Return a folder as a user names it: `~` is what a shell has left, and none is the default.

    Raises FileError where `~name` names nobody.
    """
    try:
        return Path(given or default).expanduser()
    except RuntimeError as error:
        raise FileError(f"{setting}={given}: there is no home folder of that user") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside the file to write to; it takes the file's place when the block ends.

    Each call has a path of its own: two sweeps may write the same file at once. An error of the
    system's names the file that was to be replaced, which is the one that a user knows. What is
    there and no file, such as /dev/stdout, is written to itself.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if Path(str(error.filename)).name == temporary.name:
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # a folder that became read-only refuses what is not there, too
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, seconds: float = 0.0) -> None:
    """Remove what killed processes have left of `replacing` in a folder.

    `seconds`: how long ago it was written at least, where others may be writing now.
    """
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):  # another process removes it too, or nobody may
            if LEFTOVER.fullmatch(path.name) and time.time() - path.stat().st_mtime >= seconds:
                path.unlink()


@contextmanager
def writing(setting: str, path: Path) -> Iterator[None]:
    """Name the setting, and the path that it has, in an error of what is written in the block.

    Raises FileError.
    """
    try:
        yield
    except OSError as error:
        raise FileError(
            f"{setting}={path} cannot be written: {reason_and_place(error, path)}"
        ) from error


def check_folder(setting: str, path: str | Path) -> None:
    """Raise FileError where a folder, the value of a setting, cannot be looked into.

    One that is not there passes, as a file does: what that means is for others to say.
    """
    try:
        Path(path, ".hydra").stat()  # any name: to look into a folder needs a right of its own
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # a ValueError where it cannot be a path at all
        said = reason(error) if isinstance(error, OSError) else one_line(error)
        raise FileError(
            f"{setting}={printable(shown(str(path)))} cannot be read: {said}"
        ) from error


def size_of(folder: Path) -> int:
    """Return the bytes of the files below a folder; what links point to is counted where it is."""
    found = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # removed by now, or not readable
                found += (Path(root) / name).lstat().st_size
    return found


def reason_and_place(error: OSError, path: Path | None = None) -> str:
    """Return `reason`, after the file that it happened to where that is another than the path."""
    names = [name for name in (error.filename, error.filename2) if name is not None]
    named = os.fsdecode(names[0]) if names and not isinstance(names[0], int) else ""
    return f"{named}: {reason(error)}" if named and named != str(path) else reason(error)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
