"""A storage that is read again and again while others write to it."""

from pathlib import Path

from optuna.storages import BaseStorage

from mnist_sweep.sweep.read_only import WAL, file_of, open_to_read
from mnist_sweep.sweep.storage import JOURNAL

Stamp = tuple[int, ...]


class Source:
    """A storage by its address, opened anew only where what was read of it is old.

    SQLite's is a copy, taken again when its files have changed. A server's and a journal's stay
    open, and read what has been added; one that has failed is opened again.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.opened: BaseStorage | None = None
        self.stamp: Stamp = ()

    def storage(self) -> BaseStorage:
        """Return the storage as it is now. Raises StorageError where it cannot be read."""
        stamp = self._stamp()
        if self.opened is None or stamp != self.stamp:
            self.opened = None
            self.opened = open_to_read(self.address)
            self.stamp = stamp
        return self.opened

    def forget(self) -> None:
        """Open it anew the next time."""
        self.opened = None

    def _stamp(self) -> Stamp:
        """Return what changes where the storage has to be opened anew."""
        path = file_of(self.address)
        if path is None:
            return ()
        if self.address.startswith(JOURNAL):
            return _file(path)[:1]  # which file it is: its entries are only added to
        return (*_file(path), *_file(path.with_name(path.name + WAL)))


def _file(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
