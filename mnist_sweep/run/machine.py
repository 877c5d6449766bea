"""What a run stands on: device, threads, seeds, and the versions that are recorded with it."""

import os
import platform
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from mnist_sweep.allowed_values import DEVICES
from mnist_sweep.errors import UserError
from mnist_sweep.run.cores import cores

# What cuBLAS needs to be deterministic: docs.pytorch.org/docs/stable/notes/randomness.html
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


class DeviceError(UserError):
    """A device that was asked for and does not exist."""


def choose_device(name: str) -> torch.device:
    """Return the device for "auto", "cpu" or "cuda".

    Raises DeviceError for another name, and where CUDA is missing.
    """
    if name not in DEVICES:
        raise DeviceError(f"device must be one of {', '.join(DEVICES)}, but got {name!r}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError("device=cuda, but torch finds no CUDA device; use device=auto or cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def set_threads(threads: int | None) -> int:
    """Use this many threads, or as many as torch chose; return how many are in use.

    Torch knows no cgroup's quota: it is held to `cores()` unless OMP_NUM_THREADS says otherwise.
    """
    if threads is None and "OMP_NUM_THREADS" not in os.environ:
        threads = min(torch.get_num_threads(), cores())
    if threads not in (None, torch.get_num_threads()):
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def set_seeds(seed: int, deterministic: bool) -> None:
    """Seed python, numpy and torch; `deterministic` also refuses nondeterministic kernels."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.deterministic = deterministic
    if deterministic:
        os.environ.setdefault(WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(deterministic)


@contextmanager
def left_as_it_was() -> Iterator[None]:
    """Put back what `set_seeds` and `set_threads` set, for a process that is not a run's own."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    on_gpus = torch.cuda.get_rng_state_all() if used else None
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn
    benchmark, deterministic = cudnn.benchmark, cudnn.deterministic
    refuses = torch.get_deterministic_debug_mode()
    workspace = os.environ.get(WORKSPACE)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if on_gpus is not None:
            torch.cuda.set_rng_state_all(on_gpus)
        torch.set_num_threads(threads)
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic
        torch.set_deterministic_debug_mode(refuses)
        if workspace is None:
            os.environ.pop(WORKSPACE, None)


def describe(device: torch.device) -> str:
    """Return the device's name for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


CPUINFO = Path("/proc/cpuinfo")  # Linux's; other systems have none


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the processor's name, and the widest vector instructions that torch uses on it."""
    name = _model_name() if CPUINFO.exists() else platform.processor()
    return f"{name or platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def _model_name() -> str:
    lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line[:10] == "model name"), "")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    packages = ("mnist-sweep", "torch", "torchvision", "hydra-core", "optuna", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


@lru_cache(maxsize=1)
def git_commit() -> str | None:
    """Return the commit of the checkout this package runs from; see `commit_of`."""
    return commit_of(Path(__file__))


# What makes git look at another repository than the one that a folder is in, as in its hooks.
ELSEWHERE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
PATIENCE = 10.0  # seconds for git to answer, on a slow disk too


def commit_of(module: Path) -> str | None:
    """Return the commit that a package's module is of, "-dirty" appended where files differ.

    Those are the files that git tracks in the folder that the package is in: what a run leaves
    beside them is no change. None where git does not track the module, as in an installed package,
    also one in the midst of another checkout; where there is no git; and where git will not say,
    as of a checkout that another user owns (its safe.directory).
    """
    package = module.resolve().parent
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}

    def git(folder: Path, *arguments: str) -> bytes:
        # A run is to leave the index alone, and to start no daemon that watches the files.
        quiet = ["git", "-C", str(folder), "--no-optional-locks", "-c", "core.fsmonitor=false"]
        return subprocess.run(
            [*quiet, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        ).stdout.strip()

    try:
        git(package, "ls-files", "--error-unmatch", "--", module.name)
        commit = git(package, "rev-parse", "--verify", "HEAD").decode("ascii")
        changed = git(package.parent, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("-dirty" if changed else "")
