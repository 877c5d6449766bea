"""Dask clusters that a sweep starts: of this machine's processes, or of a class of the user's."""

import importlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.utils import instantiate

from mnist_sweep.allowed_targets import KINDS, check_tree, users_patterns
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

SETTING = "hydra.launcher.cluster"


def of_this_machine(count: int) -> Any:
    """Return a cluster of `count` processes of this machine that run one trial each."""
    distributed: Any = importlib.import_module("distributed")  # without types
    with _deaf_to_ctrl_c():
        return distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # there is one in any case: here for nobody else
            memory_limit=0,  # a job's memory is not that of Dask's own process, which it would watch
        )


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Have the threads that begin in the block, and what processes they start, ignore Ctrl-C.

    A terminal sends it to all of a program's processes: the sweep is to end the jobs first.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def made(node: Any, n_jobs: int | None) -> Any:
    """Return the cluster of a config node, asked for `n_jobs` workers. Raises SweepError.

    What such a class starts may run any command (`job_script_prologue`): only what the user's
    MNIST_SWEEP_TARGETS allows is called.
    """
    try:
        if "_target_" not in node:
            raise SweepError(f"{SETTING} needs a _target_, as in dask_jobqueue.SLURMCluster")
        check_tree(SETTING, node, KINDS[SETTING])
        if n_jobs is None:
            raise SweepError(f"{SETTING} needs hydra.sweeper.n_jobs: how many workers to start")
        with _deaf_to_ctrl_c():
            cluster = instantiate(node, _execution_whitelist_=list(users_patterns()))
        cluster.scale(n_jobs)
    except SweepError:
        raise
    except UserError as error:  # what may not be named
        raise SweepError(str(error)) from error
    except Exception as error:  # what the class raises
        raise SweepError(f"{SETTING} cannot be started: {one_line(error)}") from error
    return cluster
