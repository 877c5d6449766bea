"""What a machine has for workers: cores or GPUs, and how they are divided."""

import os
import shutil
from collections.abc import Mapping

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.run.cores import cores

# What OpenMP, MKL and OpenBLAS read at their start.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def gpus(config: DictConfig) -> list[str]:
    """Return the GPUs that jobs of a config may use, as CUDA_VISIBLE_DEVICES names them."""
    if _device(config) == "cpu":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
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


def worker_environments(
    config: DictConfig, n_jobs: int | None, threads: int | None
) -> list[Mapping[str, str]]:
    """Return the environment of each worker: its share of the threads, and its GPU if there is one.

    Workers beyond the number of GPUs share them in turn. A thread count that the user's environment
    sets already is left as it is.
    """
    devices = gpus(config)
    count = n_jobs or len(devices) or cores()
    share = threads or max(1, cores() // count)
    environments: list[Mapping[str, str]] = []
    for slot in range(count):
        environment = {name: str(share) for name in THREADS if threads or name not in os.environ}
        if devices:
            environment["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
        environments.append(environment)
    return environments
