"""How much memory this process and its children may have: of the machine's, what they are given."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from mnist_sweep.run.cgroups import around, read

MIB = 1024**2
# GB that a worker of ours is taken to need on the CPU, and the sweep itself. Measured on a machine
# of two cores: two workers that had trained a network of 7,906 parameters on the full MNIST for 70
# minutes, in batches of 64, had 0.55 and 0.64 GB to themselves, and a sweep at its start 0.33 GB;
# the pages of libraries that the workers share were 0.42 GB.
WORKER_GB = 0.8
FILES = {1: "memory.limit_in_bytes", 2: "memory.max"}  # by the version of cgroups
# What Slurm sets in a job, in MiB: for its whole node, or for each core
# (slurm.schedmd.com/sbatch.html). Not every cluster holds its jobs to them.
PER_NODE, PER_CORE, CORES = "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"


def memory(root: Path = Path("/")) -> tuple[int, str | None]:
    """Return the bytes that this process and its children may have, and what limits them.

    That is the least of what cgroups and Slurm allow; None where it is the machine's memory. `root`
    has `proc` and `sys`.
    """
    limits: list[tuple[int, str | None]] = [(psutil.virtual_memory().total, None)]
    limits += [(size, "its cgroup's limit") for size in _of_cgroups(root)]
    limits += _of_slurm()
    return min(limits, key=lambda limit: limit[0])


def _of_cgroups(root: Path) -> Iterator[int]:
    for version, folder in around("memory", root):
        yield from _positive(read(folder / FILES[version]))  # "max" is no limit


def _of_slurm() -> Iterator[tuple[int, str]]:
    for size in _positive(os.environ.get(PER_NODE, "")):
        yield size * MIB, PER_NODE
    for size in _positive(os.environ.get(PER_CORE, "")):
        for count in _positive(os.environ.get(CORES, "")):
            yield size * count * MIB, PER_CORE


def _positive(text: str) -> Iterator[int]:
    if text.isascii() and text.isdigit() and int(text) > 0:
        yield int(text)
