"""Opening a storage that there is already: to read it, which changes nothing, or to add notes."""

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, StaticPool

from mnist_sweep.errors import UserError
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.sweep.storage import (
    BUSY_TIMEOUT,
    JOURNAL,
    NO_FILE,
    OUTAGE,
    cause_of,
    open_database,
)
from mnist_sweep.text import one_line

# What SQLite keeps beside a database: committed pages, and pages to roll back to.
WAL, ROLLBACK = "-wal", "-journal"
ATTEMPTS = 20  # at a copy during which nothing is written to the database itself
# In a database's header, at these places, a 2 says that it has a write-ahead log
# (https://www.sqlite.org/fileformat.html#file_format_version_numbers).
VERSIONS, LOGGED = slice(18, 20), b"\x02\x02"


class StorageError(UserError):
    """A storage that does not exist, or cannot be read."""


class ReadOnlyError(StorageError):
    """A write to a storage that was opened only to be read."""


def file_of(address: str) -> Path | None:
    """Return the file that a storage is in; None for a server's, or what is no address.

    Raises StorageError for an address that names no storage to open.
    """
    if address.startswith(JOURNAL):
        return Path(address.removeprefix(JOURNAL))
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise StorageError(
            f"storage={without_password(address)} cannot be read: it is no address; write "
            "sqlite:///file, journal:///file or postgresql+psycopg://user@host/database"
        ) from error
    except Exception as error:  # SQLAlchemy's other kinds
        raise _cannot(address, error) from error
    if url.get_backend_name() != "sqlite":
        return None
    if url.host:
        raise StorageError(
            f"storage={address} names a host, which SQLite has none of: write three slashes, as in "
            "sqlite:///file"
        )
    if url.database in NO_FILE:
        raise StorageError(f"storage={address} is in memory: name the file that the studies are in")
    return _path(url)


def in_a_file_or_server(address: str | None) -> bool:
    """Whether a storage outlives its process, and can be reached by others."""
    if address is None or address.startswith(JOURNAL):
        return address is not None
    try:
        url = make_url(address)
    except Exception as error:  # SQLAlchemy's kinds
        raise _cannot(address, error) from error
    return url.get_backend_name() != "sqlite" or url.database not in NO_FILE


def is_there(address: str) -> bool:
    """Whether a storage's file exists, or a server's database has studies' tables.

    Raises StorageError where that cannot be told.
    """
    path = file_of(address)
    if path is not None:
        return path.is_file()
    try:
        engine = create_engine(address, poolclass=NullPool)
        return inspect(engine).has_table("studies")
    except Exception as error:  # each database driver raises its own kinds
        raise _cannot(address, error) from error


def open_to_read(address: str) -> BaseStorage:
    """Open a storage without a lock, and without a change to it or to what lies beside it.

    SQLite's is a copy in memory of what is committed now, so that it can be on a read-only medium,
    and be written to meanwhile. Raises StorageError, in one line, where it cannot be read.
    """
    path = file_of(address)
    _check_there(address, path)
    try:
        if path is None:
            return get_storage(open_database(address, skip_table_creation=True))
        if address.startswith(JOURNAL):
            return _journal(address, path)
        return _in_memory(_snapshot(path))
    except StorageError:
        raise
    except Exception as error:  # each database driver raises its own kinds
        raise _cannot(address, error) from error


def open_to_annotate(address: str) -> BaseStorage | None:
    """Open a storage to add to it, its journal mode left as it is; None where that cannot be.

    Raises StorageError where it is not there.
    """
    path = file_of(address)
    _check_there(address, path)
    if path is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return None
    try:
        if path is None:
            return get_storage(open_database(address, skip_table_creation=True))
        if address.startswith(JOURNAL):
            return JournalStorage(JournalFileBackend(str(path)))
        arguments = {"connect_args": {"timeout": BUSY_TIMEOUT}}
        return get_storage(
            open_database(address, engine_kwargs=arguments, skip_table_creation=True)
        )
    except Exception as error:  # each database driver raises its own kinds
        raise _cannot(address, error) from error


@contextmanager
def answering(address: str) -> Iterator[None]:
    """Raise StorageError, in one line, where an opened storage stops answering in the block."""
    try:
        yield
    except OUTAGE as error:
        raise _cannot(address, error) from error


def _check_there(address: str, path: Path | None) -> None:
    if path is not None and not path.is_file():
        what = f"{path} is a folder" if path.is_dir() else f"there is no file {path}"
        raise StorageError(f"storage={without_password(address)}: {what}; name the study's storage")


def _journal(address: str, path: Path) -> JournalStorage:
    """Open a journal. Raises StorageError for a file of lines that mean something else."""
    try:
        return JournalStorage(_Journal(path))
    except (AttributeError, LookupError, TypeError) as error:
        raise StorageError(
            f"storage={address} cannot be read: it is no journal of Optuna's; name the study's "
            "storage"
        ) from error


def _cannot(address: str, error: Exception) -> StorageError:
    reason = said_of(address, one_line(cause_of(error)))[:300]
    return StorageError(f"storage={without_password(address)} cannot be read: {reason}")


def _path(url: URL) -> Path:
    """Return the file of an SQLite address, which may have it as a URI of SQLite's own."""
    database = str(url.database)
    if not database.startswith("file:"):
        return Path(database)
    return Path(unquote(database.removeprefix("file:").partition("?")[0]))


def _snapshot(path: Path) -> sqlite3.Connection:
    """Return a copy in memory of what a database holds now."""
    with path.open("rb") as file:
        logged = file.read(VERSIONS.stop)[VERSIONS] == LOGGED
    if not logged:
        try:
            return _backup(f"file:{quote(str(path.resolve()))}?mode=ro")
        except sqlite3.OperationalError:  # what is left to recover cannot be, where it lies
            pass
    # Even who only reads a database with a log writes an index beside it. So its files are copied:
    # a log that grows meanwhile is no harm, one that is moved into the database is seen by that.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        for _ in range(ATTEMPTS):
            before = path.stat()
            for suffix in ("", WAL, ROLLBACK):
                _beside(copy, suffix).unlink(missing_ok=True)
                if _beside(path, suffix).exists():
                    shutil.copyfile(_beside(path, suffix), _beside(copy, suffix))
            after = path.stat()
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                break
        return _backup(f"file:{quote(str(copy))}")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _backup(uri: str) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT)) as source:
            source.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory


def _in_memory(connection: sqlite3.Connection) -> BaseStorage:
    settings = {"creator": lambda: connection, "poolclass": StaticPool}
    try:
        storage = open_database("sqlite://", engine_kwargs=settings)
    except BaseException:
        connection.close()
        raise
    weakref.finalize(storage, connection.close)
    return get_storage(storage)


class _Journal(BaseJournalBackend):
    """A journal's entries, none of which is added to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backend = JournalFileBackend(str(path))  # which makes only a file that is not there

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Yield the entries from a number on; what its writer has not finished is left out."""
        return self.backend.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Raise ReadOnlyError."""
        raise ReadOnlyError(f"{self.path} was opened to be read")
