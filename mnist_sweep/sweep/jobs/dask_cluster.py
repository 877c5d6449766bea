"""A Dask cluster that a config names by its class, as dask-jobqueue's for Slurm, PBS and LSF."""

from typing import Any

from hydra.utils import instantiate

from mnist_sweep.allowed_targets import KINDS, check_tree, users_patterns
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.text import one_line

SETTING = "hydra.launcher.cluster"


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
        cluster = instantiate(node, _execution_whitelist_=list(users_patterns()))
        cluster.scale(n_jobs)
    except SweepError:
        raise
    except UserError as error:  # what may not be named
        raise SweepError(str(error)) from error
    except Exception as error:  # what the class raises
        raise SweepError(f"{SETTING} cannot be started: {one_line(error)}") from error
    return cluster
