"""How many cores this process may use: of the machine's, those that it is given."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Where cgroups of version 1 have their CPU controller, below /sys/fs/cgroup.
CONTROLLERS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")


def cores() -> int:
    """Return the cores that this process may use: its affinity, or its cgroup's quota if less.

    A quota of one core and a half is two cores, part of the time.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    limit = quota()
    return count if limit is None else max(1, min(count, math.ceil(limit)))


def quota(root: Path = Path("/")) -> float | None:
    """Return the cores' worth of time that cgroups allow this process; None for no limit.

    A container has such a limit (`docker run --cpus=2`), and a service or a cluster's job may have
    one. The smallest of a cgroup and those around it holds. `root` has `proc` and `sys`.
    """
    return min(_limits(root), default=None)


def _limits(root: Path) -> Iterator[float]:
    base = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:  # version 2, alone or beside version 1
            for mount in (base, base / "unified"):
                for folder in _around(mount, path):
                    yield from _share(*(_read(folder / "cpu.max").split() or ["max"]))
        elif "cpu" in controllers.split(","):
            for mount in (base / name for name in CONTROLLERS):
                for folder in _around(mount, path):
                    period = _read(folder / "cpu.cfs_period_us")
                    yield from _share(_read(folder / "cpu.cfs_quota_us"), period)


def _around(mount: Path, path: str) -> Iterator[Path]:
    """Yield a cgroup's folder and those around it. In a container the innermost is the mount."""
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _share(quota: str, period: str = "100000") -> Iterator[float]:
    """Yield the cores that microseconds of a period are worth; nothing for no limit."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or nothing at all
        return
    if share > 0:  # -1 is no limit
        yield share


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
