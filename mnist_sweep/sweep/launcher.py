"""The launchers' plugins, which Hydra loads at every start: cheap to import."""

import atexit
import logging
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from mnist_sweep.sweep.errors import SweepError

if TYPE_CHECKING:
    from mnist_sweep.sweep.jobs.backend import Backend
    from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that an interrupted job has to record it


class PoolLauncher(Launcher):
    """A launcher whose jobs run in a pool, which stays for the next batch."""

    max_retries: int
    pool: "Backend | None" = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives."""
        self.context, self.task_function, self.config = hydra_context, task_function, config

    @abstractmethod
    def backend(self) -> "Backend":
        """Return the pool, for a sweeper that needs no batches. Raises SweepError."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch and return what each job returned, in order."""
        from mnist_sweep.sweep.jobs.backend import Job, run_all

        directory = Path(str(self.config.hydra.sweep.dir))
        directory.mkdir(parents=True, exist_ok=True)
        jobs = [Job(initial_job_idx + n, list(o)) for n, o in enumerate(job_overrides)]
        if self.pool is None:
            self.pool = self.backend()
            atexit.register(close, self.pool)  # it waits for the next batch until then
        log.info("Launching %d jobs in %s, sweep output dir : %s", len(jobs), self.pool, directory)
        for job in jobs:
            log.info("\t#%d : %s", job.number, " ".join(filter_overrides(job.overrides)))
        try:
            return run_all(self.pool, jobs, self.max_retries)
        except BaseException:
            close(self.pool)
            raise


class WorkersLauncher(PoolLauncher):
    """A launcher with persistent worker processes on this machine, asynchronous for our sweeper.

    With any other sweeper it takes batches, as every launcher does. A job whose worker dies is run
    again in a new one.

    n_jobs:
        Worker processes; None is one a GPU where jobs may use GPUs, else one a core. Our sweeper's
        own n_jobs takes precedence.
    threads:
        Threads a worker; None divides the cores among the workers.
    max_retries:
        How often a job is run again whose worker died. Our sweeper has another setting.
    """

    def __init__(
        self, n_jobs: int | None = None, threads: int | None = None, max_retries: int = 1
    ) -> None:
        self.n_jobs, self.threads, self.max_retries = n_jobs, threads, max_retries

    def backend(
        self,
        n_jobs: int | None = None,
        logs: Path | None = None,
        timeout: float | None = None,
        preload: Sequence[str] = (),
        worker_memory: float | None = None,
    ) -> "WorkerBackend":
        """Return a backend of worker processes, for a sweeper that needs no batches.

        `worker_memory`: the GB that each needs, None where that is not known.
        """
        from hydra.core.singleton import Singleton

        from mnist_sweep.sweep.jobs.resources import divide
        from mnist_sweep.sweep.jobs.worker import HydraTask
        from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend

        for name, value in (("n_jobs", self.n_jobs), ("threads", self.threads)):
            if value is not None:
                check_count(name, value, 1)
        check_count("max_retries", self.max_retries, 0)
        workers = divide(self.config, n_jobs or self.n_jobs, self.threads, worker_memory)
        environments = workers.environments
        task = HydraTask(self.context, self.config, self.task_function, Singleton.get_state())
        return WorkerBackend(
            len(environments), task, environments.__getitem__, logs, timeout, preload, workers.why
        )


def close(pool: "Backend") -> None:
    """End what still runs; on Ctrl-C at once."""
    try:
        pool.stop(PATIENCE)
    except KeyboardInterrupt:  # the jobs have had time enough
        pool.stop(0)


def check_count(name: str, value: object, least: int) -> None:
    """Raise SweepError where a setting of a launcher is no whole number of at least so much."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SweepError(
            f"hydra.launcher.{name} must be a whole number of at least {least}, but got {value!r}"
        )
