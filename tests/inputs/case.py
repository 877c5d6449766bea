"""A wrong input: a command as somebody types it, what lies around it, and what it must say."""

import hashlib
import os
import shlex
import sqlite3
import stat
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.cli import encoding

MOST = encoding.MOST + 20  # letters of a line


@dataclass(frozen=True)
class Case:
    """`words`: the command line behind `python -m mnist_sweep.`; `says`: a part of its one line.

    `given`: what is put beside it first, of the things that `conftest.material` has; `spoil` then
    makes of it what is wrong, in the current folder. `usual`: how many words behind the command
    are left out of its test's name.
    """

    words: tuple[str, ...]
    says: str
    given: tuple[str, ...] = ()
    spoil: Callable[[], object] | None = None
    usual: int = 0

    @property
    def name(self) -> str:
        """What the test is called: printable, and of a length that a terminal can show."""
        words = (self.words[0], *self.words[1 + self.usual :])
        line = shlex.join(words).encode("unicode_escape").decode()
        spoiled = f" ({self.spoil.__name__})" if self.spoil else ""
        return (line if len(line) < 100 else f"{line[:100]}...") + spoiled


def case(
    words: str | Iterable[str],
    says: str,
    given: str = "",
    spoil: Callable[[], object] | None = None,
    usual: str = "",
) -> Case:
    """Return a case; words in one text are split as a shell splits them.

    `usual`: what stands before them, as it does in many cases; its first word is the command.
    """
    split = shlex.split(words) if isinstance(words, str) else words
    before = shlex.split(usual)
    kept = max(len(before) - 1, 0)
    return Case((*before, *split), says, tuple(given.split()), spoil, kept)


def written(path: str, content: str | bytes | None = None) -> Callable[[], object]:
    """Return a function that writes a file, or makes a folder of that name where there is no text.

    What lay there goes.
    """

    def write() -> None:
        place = Path(path)
        if place.is_file():
            place.unlink()
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir()
        else:
            place.write_bytes(content.encode() if isinstance(content, str) else content)

    write.__name__ = f"{path}: {'a folder' if content is None else repr(content[:20])}"
    return write


def removed(path: str) -> Callable[[], object]:
    """Return a function that removes a file."""

    def remove() -> None:
        Path(path).unlink()

    remove.__name__ = f"without {path}"
    return remove


def cut(path: str, size: int) -> Callable[[], object]:
    """Return a function that leaves so many bytes of a file."""

    def truncate() -> None:
        os.truncate(path, size)

    truncate.__name__ = f"{path}: {size} bytes of it"
    return truncate


def pipe(path: str) -> Callable[[], object]:
    """Return a function that puts a pipe, to which nobody writes, in a file's place."""

    def make() -> None:
        place = Path(path)
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(place)

    make.__name__ = f"{path}: a pipe"
    return make


def loop(path: str) -> Callable[[], object]:
    """Return a function that puts a link to itself in a file's place."""

    def link() -> None:
        place = Path(path)
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(place.name)

    link.__name__ = f"{path}: a link to itself"
    return link


def contents() -> dict[str, str]:
    """Return what lies in the current folder: each file's digest, and the kind of all else."""
    found = {}
    for root, folders, files in os.walk("."):
        for name in [*folders, *files]:
            path = Path(root, name)
            mode = path.lstat().st_mode
            regular = stat.S_ISREG(mode)
            found[str(path)] = _digest(path) if regular else stat.filemode(mode)
    return found


def _digest(path: Path) -> str:
    """Return a digest of a file; of a database, of what is in it: its pages may be moved."""
    content = path.read_bytes()
    if content.startswith(b"SQLite format 3"):
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as connection:
            content = "\n".join(connection.iterdump()).encode()
    return hashlib.md5(content).hexdigest()
