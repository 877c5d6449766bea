"""The control groups that a process is in: where containers, services and clusters limit it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Where version 1 may have a controller, below /sys/fs/cgroup.
FOLDERS = {"cpu": ("cpu", "cpu,cpuacct", "cpuacct,cpu"), "memory": ("memory",)}


def around(controller: str, root: Path = Path("/")) -> Iterator[tuple[int, Path]]:
    """Yield the folders of this process's cgroup of a controller, and of those around it.

    Each with its version, 1 or 2, which says what its files are called. In a container the
    innermost is the mount itself. `root` has `proc` and `sys`.
    """
    base = root / "sys/fs/cgroup"
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:  # version 2, alone or beside version 1
            for mount in (base, base / "unified"):
                yield from ((2, folder) for folder in _upwards(mount, path))
        elif controller in controllers.split(","):
            for mount in (base / name for name in FOLDERS[controller]):
                yield from ((1, folder) for folder in _upwards(mount, path))


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def read(path: Path) -> str:
    """Return what a file of the system's says; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
