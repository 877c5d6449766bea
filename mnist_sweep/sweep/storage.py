"""Where studies live: opening a storage by its address, and one lock for all who share it."""

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import sqlalchemy
from filelock import FileLock
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import Engine, make_url

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

JOURNAL = "journal:///"
BUSY_TIMEOUT = 60  # seconds that a writer waits for another's transaction


class Storage:
    """An opened storage: `optuna` is Optuna's object for it, `address` what the user calls it."""

    def __init__(self, address: str | None, base: Path) -> None:
        """Open it, a relative path from `base`; raises whatever its driver raises."""
        self.address, self.base = address, base
        self.path: Path | None = None
        self.engine: Engine | None = None
        self.optuna: BaseStorage
        if address is None:
            self.optuna = InMemoryStorage()
        elif address.startswith(JOURNAL):
            self.path = base / address.removeprefix(JOURNAL)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.optuna = JournalStorage(JournalFileBackend(str(self.path)))
        else:
            self.optuna = self._relational(address)

    def _relational(self, address: str) -> RDBStorage:
        url = make_url(address)
        if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
            storage = RDBStorage(address, engine_kwargs={"pool_pre_ping": True})
            self.engine = storage.engine
            return storage
        assert url.database is not None
        self.path = self.base / url.database
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _use_write_ahead_log(self.path)
        absolute = url.set(database=str(self.path)).render_as_string(hide_password=False)
        storage = RDBStorage(absolute, engine_kwargs={"connect_args": {"timeout": BUSY_TIMEOUT}})
        self.engine = storage.engine
        sqlalchemy.event.listen(self.engine, "connect", _sync_at_checkpoints)
        self.engine.dispose()  # what is open already has not heard of it
        return storage

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
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:key)"), {"key": key})


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
            hint = "; pip install 'mnist-sweep[postgresql]' and write postgresql+psycopg://"
        raise SweepError(
            f"hydra.sweeper.storage={without_password(address)} cannot be opened: "
            f"{one_line(error)[:300]}{hint}"
        ) from error


def without_password(address: str | None) -> str | None:
    """Return an address as it may be printed and recorded."""
    try:
        return None if address is None else make_url(address).render_as_string()
    except Exception:  # it is no URL, but may hold a password as one does
        return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", str(address))
