"""Files that are replaced whole, so that a kill leaves the old one or the new one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside the file to write to; it takes the file's place when the block ends."""
    temporary = path.with_name(path.name + ".tmp")
    yield temporary
    temporary.replace(path)
