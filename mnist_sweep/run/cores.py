"""How many cores this process may use: of the machine's, those that it is given."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from mnist_sweep.run.cgroups import around, read

# What Slurm sets in a job whose --cpus-per-task was given (slurm.schedmd.com/sbatch.html). Not
# every cluster binds its jobs to them.
SLURM = "SLURM_CPUS_PER_TASK"


def cores() -> int:
    """Return the cores that this process may use: the least of what limits it.

    Those are its affinity, its cgroup's quota, and what Slurm has given it. A quota of one core and
    a half is two cores, part of the time.
    """
    return min([_by_affinity(), *(count for count, _ in _limits())])


def why_fewer() -> str | None:
    """Say what holds `cores` below the machine's; None where nothing does."""
    machine, given = os.cpu_count() or 1, cores()
    if given >= machine:
        return None
    what = min([(_by_affinity(), "its affinity"), *_limits()])[1]
    return f"{what} gives {given} of {machine} cores"


def quota(root: Path = Path("/")) -> float | None:
    """Return the cores' worth of time that cgroups allow this process; None for no limit.

    A container has such a limit (`docker run --cpus=2`), and a service or a cluster's job may have
    one. The smallest of a cgroup and those around it holds. `root` has `proc` and `sys`.
    """
    return min(_shares(root), default=None)


def _by_affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limits() -> Iterator[tuple[int, str]]:
    """Yield numbers of cores beside the affinity's, each with what sets it."""
    limit = quota()
    if limit is not None:
        yield max(1, math.ceil(limit)), "its cgroup's quota"
    given = os.environ.get(SLURM, "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        yield int(given), SLURM


def _shares(root: Path) -> Iterator[float]:
    for version, folder in around("cpu", root):
        if version == 2:
            yield from _share(*(read(folder / "cpu.max").split() or ["max"]))
        else:
            period = read(folder / "cpu.cfs_period_us")
            yield from _share(read(folder / "cpu.cfs_quota_us"), period)


def _share(quota: str, period: str = "100000") -> Iterator[float]:
    """Yield the cores that microseconds of a period are worth; nothing for no limit."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or nothing at all
        return
    if share > 0:  # -1 is no limit
        yield share
