"""What a machine has for workers: cores or GPUs, and how they are divided."""

import itertools
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.run.cores import cores, why_fewer
from mnist_sweep.run.memory import memory

GB = 1e9  # bytes

GPU = re.compile(r"\d+|(GPU|MIG)-\S+")  # a number or an identifier in CUDA_VISIBLE_DEVICES
# What OpenMP, MKL and OpenBLAS read at their start.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def gpus(config: DictConfig) -> list[str]:
    """Return the GPUs that jobs of a config may use, as CUDA_VISIBLE_DEVICES names them."""
    if _device(config) == "cpu":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        # As CUDA reads it: what follows the first that names none is not seen.
        names = [name.strip() for name in visible.split(",")]
        return list(itertools.takewhile(GPU.fullmatch, names))
    if shutil.which("nvidia-smi") is None:  # no driver; torch takes two seconds to say the same
        return []
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _device(config: DictConfig) -> object:
    """Return what a config says of its device; None where that is for its jobs to know."""
    try:
        return OmegaConf.select(config, "device", default=None)
    except OmegaConfBaseException:
        return None


@dataclass(frozen=True)
class WorkerCount:
    """The environment of each worker; `why`: what the machine holds their number by, if anything.

    An environment is a worker's share of the threads, and its GPU if there is one.
    """

    environments: Sequence[Mapping[str, str]]
    why: str | None = None


def divide(
    config: DictConfig, n_jobs: int | None, threads: int | None, worker_memory: float | None = None
) -> WorkerCount:
    """Return workers for jobs of a config: `n_jobs`, else one a GPU, else one a core.

    Of the last there are no more than the memory holds where each of them, and the sweep itself,
    needs `worker_memory` GB. Workers beyond the number of GPUs share them in turn. A thread count
    that the user's environment sets already is left as it is.
    """
    devices, why = gpus(config), None
    count = n_jobs or len(devices)
    if not count:
        count, why = _one_a_core(worker_memory)
    share = threads or max(1, cores() // count)
    environments: list[Mapping[str, str]] = []
    for slot in range(count):
        environment = {name: str(share) for name in THREADS if threads or name not in os.environ}
        if devices:
            environment["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
        environments.append(environment)
    return WorkerCount(environments, why)


def _one_a_core(worker_memory: float | None) -> tuple[int, str | None]:
    """Return how many workers there are where nobody says so, and why they are fewer than cores."""
    if worker_memory is None:
        return cores(), why_fewer()
    size, limit = memory()
    fitting = int(size / (worker_memory * GB)) - 1
    if fitting >= cores():
        return cores(), why_fewer()
    whose = f"{size / GB:.1f} GB{f', {limit}' if limit else ' of memory'}"
    if fitting < 1:
        return 1, f"which with the sweep needs {2 * worker_memory:g} GB, and there are {whose}"
    return fitting, (
        f"with the sweep {fitting + 1} of {worker_memory:g} GB each, in {whose}; "
        f"there are {cores()} cores"
    )
