"""A storage as a config names it: by its address, or as Hydra would make one of Optuna's."""

from collections.abc import Mapping
from typing import Any

from mnist_sweep.allowed_targets import resolved
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.storage import JOURNAL
from mnist_sweep.text import shortened

SETTING = "hydra.sweeper.storage"
MEMORY = "optuna.storages.InMemoryStorage"
DATABASE = "optuna.storages.RDBStorage"
JOURNALS = "optuna.storages.JournalStorage"
FILE = "optuna.storages.journal.JournalFileBackend"
INSTEAD = (
    "write an address: sqlite:///file, journal:///file, postgresql+psycopg://user@host/db, or null"
)


def address_of(storage: Any) -> Any:
    """Return the address of a storage that a config has by its `_target_`; all else as it is.

    Workers and jobs open the storage anew, each for itself, so it is not made here. Raises
    SweepError for one that has no address, or settings which that has no place for.
    """
    node = resolved(storage)
    if not isinstance(node, Mapping):
        return storage
    target = node.get("_target_")
    if target == MEMORY:
        _only(node, SETTING)
        return None
    if target == DATABASE:
        return _only(node, SETTING, "url")
    if target == JOURNALS:
        backend = _only(node, SETTING, "log_storage")
        where = f"{SETTING}.log_storage"
        if isinstance(backend, Mapping) and backend.get("_target_") == FILE:
            return f"{JOURNAL}{_only(backend, where, 'file_path')}"
        target = backend.get("_target_") if isinstance(backend, Mapping) else backend
        raise SweepError(f"{where}={shortened(target)} is not {FILE}; {INSTEAD}")
    raise SweepError(f"{SETTING}._target_={shortened(target)} has no address; {INSTEAD}")


def is_sqlite(address: str | None) -> bool:
    """Whether a storage's address names a file of SQLite, which one machine can use."""
    return str(address).partition("://")[0].partition("+")[0] == "sqlite"


def _only(node: Mapping[str, Any], where: str, name: str | None = None) -> Any:
    """Return a setting of a node that has no other. Raises SweepError."""
    others = [key for key in node if key not in ("_target_", name)]
    if others:
        raise SweepError(f"{where}.{others[0]} cannot be part of an address: leave it out")
    if name is not None and name not in node:
        raise SweepError(f"{where} has no {name}; {INSTEAD}")
    return node[name] if name else None
