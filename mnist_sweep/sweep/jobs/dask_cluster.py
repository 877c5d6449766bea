"""Dask clusters that a sweep starts: of this machine's processes, or of a class of the user's."""

import importlib
import logging
import signal
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf

from mnist_sweep.allowed_targets import KINDS, check_tree, users_patterns
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line, shortened

SETTING = "hydra.launcher.cluster"


def engine() -> Any:
    """Return the module `distributed`, which has no types, with its log at errors.

    Hydra shows all that is logged, here of a scheduler's inner life. What becomes of tasks is for
    the sweep to say.
    """
    distributed = importlib.import_module("distributed")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    return distributed


def of_this_machine(count: int) -> Any:
    """Return a cluster of `count` processes of this machine that run one trial each."""
    return engine().LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",  # there is one in any case: here for nobody else
        memory_limit=0,  # a job's memory is not that of Dask's own process, which it would watch
        preload=__name__,
    )


def dask_setup(worker: Any) -> None:
    """Have a Dask worker ignore Ctrl-C; Dask calls this in each.

    A terminal sends it to all of a program's processes: the sweep is to end the jobs first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def made(node: Any, n_jobs: int | None) -> Any:
    """Return the cluster of a config node, asked for `n_jobs` workers. Raises SweepError.

    What such a class starts may run any command (`job_script_prologue`): only what the user's
    MNIST_SWEEP_TARGETS allows is called.
    """
    try:
        if not OmegaConf.is_dict(node) or "_target_" not in node:
            raise SweepError(
                f"{SETTING} must name a cluster class by its _target_, as in "
                f"{{_target_: dask_jobqueue.SLURMCluster, cores: 1}}, but got {shortened(node)}"
            )
        engine()
        check_tree(SETTING, node, KINDS[SETTING])
        if n_jobs is None:
            raise SweepError(f"{SETTING} needs hydra.sweeper.n_jobs: how many workers to start")
        cluster = instantiate(node, _execution_whitelist_=list(users_patterns()))
        cluster.scale(n_jobs)
    except SweepError:
        raise
    except UserError as error:  # what may not be named
        raise SweepError(str(error)) from error
    except Exception as error:  # what the class raises
        raise SweepError(f"{SETTING} cannot be started: {one_line(error)}") from error
    return cluster
