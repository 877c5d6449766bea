"""The launchers of clusters that Ray and Dask run: settings only, as in `launcher`.

`search_path` makes them known to Hydra. Their names in the config group are not `ray` and `dask`:
hydra-ray-launcher has `ray`, which takes batches, and keeps it.
"""

import socket
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.launcher import PoolLauncher, check_count

if TYPE_CHECKING:
    from mnist_sweep.sweep.jobs.executor_backend import Executor, ExecutorBackend


class ClusterLauncher(PoolLauncher):
    """A launcher whose jobs are tasks of a cluster's engine, asynchronous for our sweeper.

    With any other sweeper it takes batches, as every launcher does. A job whose process or node
    dies is run again.

    n_jobs:
        Jobs at once; None is as many as the cluster has room for, also when it grows or shrinks.
        Our sweeper's own n_jobs takes precedence.
    max_retries:
        How often a job is run again whose process died. Our sweeper has another setting.
    """

    threads: int
    resources: dict[str, float]

    def __init__(self, n_jobs: int | None, max_retries: int) -> None:
        self.n_jobs, self.max_retries = n_jobs, max_retries

    def check(self) -> None:
        """Raise SweepError for a setting that makes no sense."""
        if self.n_jobs is not None:
            check_count("n_jobs", self.n_jobs, 1)
        check_count("max_retries", self.max_retries, 0)
        check_count("threads", self.threads, 1)
        _check_needs({f"resources.{name}": need for name, need in self.resources.items()})

    @abstractmethod
    def executor(self, n_jobs: int | None) -> "Executor":
        """Connect to the cluster. Raises SweepError."""

    def backend(
        self,
        n_jobs: int | None = None,
        logs: Path | None = None,
        timeout: float | None = None,
        preload: Sequence[str] = (),
        one_machine: bool = False,
    ) -> "ExecutorBackend":
        """Return a backend of the cluster, for a sweeper that needs no batches.

        Raises SweepError where the cluster does not answer, and for other machines than this where
        there is to be `one_machine`, since the storage is SQLite.
        """
        from hydra.core.singleton import Singleton

        from mnist_sweep.sweep.jobs.executor_backend import ExecutorBackend
        from mnist_sweep.sweep.jobs.node import Assignment
        from mnist_sweep.sweep.jobs.resources import THREADS
        from mnist_sweep.sweep.jobs.worker import HydraTask, Program
        from mnist_sweep.sweep.jobs.worker_backend import packed

        self.check()
        task = HydraTask(self.context, self.config, self.task_function, Singleton.get_state())
        assignment = Assignment(
            uuid.uuid4().hex,
            packed(task),
            Program.this(),
            dict.fromkeys(THREADS, str(self.threads)),
            logs.absolute() if logs else None,
            timeout,
            list(preload),
        )
        places = n_jobs or self.n_jobs
        executor = self.executor(places)
        if one_machine:
            _check_machines(executor)
        return ExecutorBackend(executor, assignment, places)


class RayTasksLauncher(ClusterLauncher):
    """A launcher whose jobs are tasks of Ray.

    address:
        The cluster's, as `ray.init` takes it; None is RAY_ADDRESS, or a Ray of this machine's own.
    cores, gpus, resources:
        What Ray reserves for a job, of the CPUs, the GPUs, and the resources that the cluster has
        defined, by their names.
    threads:
        Threads a job; None is its cores.
    """

    def __init__(
        self,
        address: str | None = None,
        cores: int = 1,
        gpus: float = 0,
        resources: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
        threads: int | None = None,
        max_retries: int = 1,
    ) -> None:
        super().__init__(n_jobs, max_retries)
        self.address, self.cores, self.gpus = address, cores, gpus
        self.resources = dict(resources or {})
        self.threads = cores if threads is None else threads

    def check(self) -> None:
        """Raise SweepError for a setting that makes no sense."""
        check_count("cores", self.cores, 1)
        _check_needs({"gpus": self.gpus})
        super().check()

    def executor(self, n_jobs: int | None) -> "Executor":
        """Connect to the cluster, or start one. Raises SweepError."""
        _require("ray", "ray")
        from mnist_sweep.sweep.jobs.ray_executor import RayExecutor

        needs = {"CPU": self.cores, "GPU": self.gpus, **self.resources}
        return RayExecutor(self.address, needs, n_jobs)


class DaskTasksLauncher(ClusterLauncher):
    """A launcher whose jobs are tasks of Dask: each takes a thread of a Dask worker.

    address, scheduler_file, cluster:
        One of them: a scheduler's address, the file in which it has written that, or a cluster
        class by its `_target_` with its settings, which is started with `n_jobs` workers. None is a
        process for each core of this machine.
    resources:
        What a job needs of the resources that Dask workers were started with, by their names.
    threads:
        Threads a job.
    """

    def __init__(
        self,
        address: str | None = None,
        scheduler_file: str | None = None,
        cluster: Any = None,
        resources: Mapping[str, float] | None = None,
        n_jobs: int | None = None,
        threads: int = 1,
        max_retries: int = 1,
    ) -> None:
        super().__init__(n_jobs, max_retries)
        self.address, self.scheduler_file, self.cluster = address, scheduler_file, cluster
        self.resources, self.threads = dict(resources or {}), threads

    def executor(self, n_jobs: int | None) -> "Executor":
        """Connect to the scheduler, or start a cluster. Raises SweepError."""
        given = {
            "address": self.address,
            "scheduler_file": self.scheduler_file,
            "cluster": self.cluster,
        }
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            both = " and ".join(f"hydra.launcher.{name}" for name in named)
            raise SweepError(f"{both} name a cluster each: leave all but one out")
        _require("distributed", "dask")
        from mnist_sweep.run.cores import cores
        from mnist_sweep.sweep.jobs.dask_cluster import made, of_this_machine
        from mnist_sweep.sweep.jobs.dask_executor import DaskExecutor

        cluster = None
        if self.cluster is not None:
            cluster = made(self.cluster, n_jobs)
        elif not named:
            if any(self.resources.values()):
                raise SweepError(
                    f"hydra.launcher.resources={self.resources}: the processes that Dask starts on "
                    "this machine have none; name a cluster by hydra.launcher.address"
                )
            cluster = of_this_machine(n_jobs or cores())
        return DaskExecutor(self.address, self.scheduler_file, cluster, self.resources)


def _check_needs(needs: Mapping[str, object]) -> None:
    for name, need in needs.items():
        number = isinstance(need, int | float) and not isinstance(need, bool)
        if not number or not need >= 0:  # type: ignore[operator]
            raise SweepError(
                f"hydra.launcher.{name} must be a number of at least 0, but got {need!r}"
            )


def _require(module: str, extra: str) -> None:
    """Raise SweepError where an engine is not installed."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise SweepError(
            f"{module} is not installed: pip install '.[{extra}]' in this project's checkout"
        )


def _check_machines(executor: "Executor") -> None:
    others = sorted(executor.machines() - {socket.gethostname()})
    if others:
        executor.close()
        raise SweepError(
            "SQLite's write-ahead log cannot be shared by several machines, and the cluster has "
            f"{', '.join(others[:3])}{' and others' if len(others) > 3 else ''}: set "
            "hydra.sweeper.storage to journal:///FILE on a file system that they share, or to "
            "PostgreSQL"
        )
