"""Where studies live: opening a storage by its address, and one lock for all who share it."""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import (
    BaseStorage,
    InMemoryStorage,
    JournalStorage,
    RDBStorage,
    get_storage,
)
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

T = TypeVar("T")

JOURNAL = "journal:///"
NO_FILE = (None, "", ":memory:")
# What a storage raises that does not answer.
OUTAGE = (StorageInternalError, SQLAlchemyError, sqlite3.OperationalError)
OUTAGE_SECONDS = 60.0  # seconds for which a storage that does not answer is asked again
CHUNK = 65536  # bytes of a journal that are read at once
BUSY_TIMEOUT = 60  # seconds that a writer waits for another's transaction
# By these columns of its table `studies` a database is known to be Optuna's, also where a process
# was killed while it made the tables.
STUDIES, OF_STUDIES = "studies", {"study_id", "study_name"}
# Tables of Optuna's whose names other programs use as well.
SHARED_NAMES = {STUDIES, "trials", "version_info", "alembic_version"}
# Versions of the tables that were found to be this Optuna's, which says so by going through its
# migrations: that takes five times as long as all else of an opening.
_right_versions: set[str] = set()


class Storage:
    """An opened storage: `optuna` is Optuna's object for it, `address` what the user calls it."""

    def __init__(self, address: str | None, base: Path) -> None:
        """Open it, a relative path from `base`; raises whatever its driver raises."""
        self.address = address
        self.path: Path | None = None
        self.engine: Engine | None = None
        self.optuna: BaseStorage
        if address is None:
            self.optuna = InMemoryStorage()
        elif address.startswith(JOURNAL):
            self.path = base / address.removeprefix(JOURNAL)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.optuna = JournalStorage(
                JournalFileBackend(str(self.path), _JournalLock(self.path))
            )
        else:
            url = make_url(address)
            in_a_file = url.get_backend_name() == "sqlite" and url.database not in NO_FILE
            storage = self._file(url, base) if in_a_file else self._server(url)
            self.engine = storage.engine
            # Shared by all who use this object: finished trials are read once, not once a job.
            self.optuna = get_storage(storage)

    def _file(self, url: URL, base: Path) -> RDBStorage:
        if str(url.database).startswith("file:"):
            # Writing would make a file of that name, or leave unsaid what the URI asks of SQLite.
            raise SweepError("write the path of the file after sqlite:///, and not a file: URI")
        self.path = base / str(url.database)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        absolute = url.set(database=str(self.path)).render_as_string(hide_password=False)
        with self.lock(""):  # two who create the same tables would stand in each other's way
            arguments = {"connect_args": {"timeout": BUSY_TIMEOUT}}
            _check_tables(sqlalchemy.create_engine(absolute, poolclass=NullPool, **arguments))
            _use_write_ahead_log(self.path)
            storage = open_database(absolute, engine_kwargs=arguments)
        sqlalchemy.event.listen(storage.engine, "connect", _sync_at_checkpoints)
        storage.engine.dispose()  # what is open already has not heard of it
        return storage

    def _server(self, url: URL) -> RDBStorage:
        address = url.render_as_string(hide_password=False)
        opening = sqlalchemy.create_engine(url, poolclass=NullPool)
        on_postgresql = url.get_backend_name() == "postgresql"
        with _advisory_lock(opening, "opening") if on_postgresql else nullcontext():
            _check_tables(opening)
            return open_database(address, engine_kwargs={"pool_pre_ping": True})

    @property
    def shared(self) -> bool:
        """Whether other processes can reach it."""
        in_a_server = self.engine is not None and self.engine.dialect.name != "sqlite"
        return self.path is not None or in_a_server

    def close(self) -> None:
        """Close its connections; it opens others where it is used again."""
        if self.engine is not None:
            self.optuna.remove_session()
            self.engine.dispose()

    def lock(self, study_name: str) -> AbstractContextManager[object]:
        """Return a lock that all sweeps of a study share, released also when its holder dies.

        PostgreSQL holds it itself. SQLite and a journal have it in a file beside them. For other
        databases it is a file of this machine, so that it holds among this machine's sweeps only.
        """
        if not self.shared:
            return nullcontext()
        if self.engine is not None and self.engine.dialect.name == "postgresql":
            return _advisory_lock(self.engine, study_name)
        if self.path is not None:
            return FileLock(f"{self.path}.sweeps.lock")  # Optuna locks a journal by .lock
        key = sha256(f"{self.address} {study_name}".encode()).hexdigest()[:16]
        return FileLock(Path(tempfile.gettempdir()) / f"mnist_sweep-{key}.lock")


def open_database(address: str, **settings: Any) -> RDBStorage:
    """Open a database as `RDBStorage` does, whose settings these are, and raise what it raises.

    Whether a version of the tables is the one that this Optuna has is looked up once in a process.
    """
    storage = RDBStorage(address, skip_compatibility_check=True, **settings)
    version = storage.get_current_version()
    if version not in _right_versions:
        if version != storage.get_head_version():
            return RDBStorage(address, **settings)  # which refuses it, and says what to do
        _right_versions.add(version)
    return storage


class _JournalLock(JournalFileSymlinkLock):
    """A journal's lock, under which its last line is always whole.

    A writer may get a part of a line written: the disk becomes full, or it is killed. Optuna would
    append the next entry to that part, and could never read the journal again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.journal = path

    def acquire(self) -> bool:
        """Acquire the lock; drop a last line that has no end, which nobody has read."""
        acquired = super().acquire()
        try:
            _drop_partial_line(self.journal)
        except BaseException:
            self.release()
            raise
        return acquired


def _drop_partial_line(journal: Path) -> None:
    with journal.open("r+b") as file:
        end = start = file.seek(0, os.SEEK_END)
        while start:  # one step where the last line is whole
            begin = max(0, start - (1 if start == end else CHUNK))
            file.seek(begin)
            found = file.read(start - begin).rfind(b"\n")
            if found >= 0:
                start = begin + found + 1
                break
            start = begin
        if start < end:
            file.truncate(start)


def _check_tables(engine: Engine) -> None:
    """Raise ValueError for a database of another program, before Optuna adds its tables to it.

    A server's may hold both, as long as no table of the other has a name of Optuna's.
    """
    inspector = sqlalchemy.inspect(engine)
    tables = set(inspector.get_table_names())
    if STUDIES in tables:
        columns = {column["name"] for column in inspector.get_columns(STUDIES)}
        if columns >= OF_STUDIES:
            return
    foreign = tables if engine.dialect.name == "sqlite" else tables & SHARED_NAMES
    if foreign:
        example = min(foreign)
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ValueError(
            f"another program's table {example!r}{more} is in it; name a database for the studies"
        )


def _use_write_ahead_log(path: Path) -> None:
    """Let readers and a writer work at once; the mode stays with the file."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _sync_at_checkpoints(connection: sqlite3.Connection, record: object) -> None:
    """Wait for the disk at the log's checkpoints only, not at every commit.

    A killed process loses nothing by it; a power cut can lose the last commits, never the file
    (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """
    connection.execute("PRAGMA synchronous=NORMAL")


def cause_of(error: BaseException) -> BaseException:
    """Return what a driver raised, below what SQLAlchemy and Optuna make of it.

    Optuna says of every commit that fails that its data may be invalid.
    """
    while (inner := getattr(error, "orig", None) or error.__cause__) is not None:
        error = inner
    return error


def with_backoff(call: Callable[[], T], seconds: float = OUTAGE_SECONDS) -> T:
    """Retry with exponential backoff as long as the storage does not answer.

    Raises what it raised last once so many seconds have passed, and it was called twice: SQLite
    itself may wait for as long within one call.
    """
    deadline, pause, tried = time.monotonic() + seconds, 0.5, False
    while True:
        try:
            return call()
        except OUTAGE:
            if tried and time.monotonic() + pause > deadline:
                raise
        tried = True
        time.sleep(pause)
        pause *= 2


@contextmanager
def _advisory_lock(engine: Engine, name: str) -> Iterator[None]:
    """Hold a PostgreSQL session lock; the server releases it when the connection ends."""
    key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": key})
        try:
            yield
        finally:
            try:
                connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:key)"), {"key": key})
            except OUTAGE:  # the connection is gone, and the lock with it: what was done counts
                connection.invalidate()


@lru_cache(maxsize=4)  # a worker opens its study's storage once, not once a trial
def reopen(address: str, base: str) -> Storage:
    """Open a storage that this process may have opened before, a relative path from `base`."""
    return Storage(address, Path(base))


def open_storage(address: str | None) -> Storage:
    """Open a storage: None (this process's memory), a database's URL, or journal:///path.

    Raises SweepError in one line when it cannot be opened.
    """
    try:
        return Storage(address, Path.cwd())
    except Exception as error:  # each database driver raises its own kinds
        hint = ""
        if isinstance(error, ImportError) and str(address).startswith("postgres"):
            hint = (
                "; pip install '.[postgresql]' in this project's checkout, and write "
                "postgresql+psycopg://"
            )
        raise SweepError(
            f"hydra.sweeper.storage={without_password(address)} cannot be opened: "
            f"{said_of(address, one_line(cause_of(error)))[:300]}{hint}"
        ) from error
