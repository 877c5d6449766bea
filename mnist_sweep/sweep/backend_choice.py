"""Which backend runs a sweep's jobs, and what the command line sets of workers in vain."""

from mnist_sweep.cli.ineffective_settings import beginning
from mnist_sweep.hydra_part import given_overrides
from mnist_sweep.study_folder import WORKERS
from mnist_sweep.sweep.cluster_launchers import ClusterLauncher
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.jobs.backend import Backend
from mnist_sweep.sweep.jobs.launcher_backend import LauncherBackend
from mnist_sweep.sweep.launcher import PoolLauncher, WorkersLauncher
from mnist_sweep.sweep.storage_address import is_sqlite

BASIC = "BasicLauncher"  # Hydra's own, as it calls the class


def choose_backend(given: Given) -> Backend:
    """Return what runs the jobs: workers that each ask when free, or a launcher in batches.

    Raises SweepError for a setting of workers where there are none.
    """
    settings, launcher = given.settings, given.launcher
    _check_workers(given)
    logs = given.directory / WORKERS if given.task.names_trials else None
    asked = settings.n_jobs, logs, settings.trial_timeout, settings.preload
    if isinstance(launcher, WorkersLauncher):
        return launcher.backend(*asked, worker_memory=settings.worker_memory)
    if isinstance(launcher, ClusterLauncher):
        return launcher.backend(*asked, one_machine=is_sqlite(settings.storage))
    if settings.trial_timeout is not None:
        raise SweepError(
            f"hydra.sweeper.trial_timeout={settings.trial_timeout:g} needs "
            "hydra/launcher=workers, ray_tasks or dask_tasks, which can end a job; leave it out"
        )
    # The basic launcher runs a batch one by one: nothing is gained by waiting for its end.
    size = 1 if type(launcher).__name__ == BASIC else settings.n_jobs or 2
    return LauncherBackend(launcher, size, numbered=not given.task.names_trials)


def _check_workers(given: Given) -> None:
    """Raise SweepError for what the command line sets of workers in vain."""
    lines = given_overrides(given.config.hydra, "hydra")
    memory = beginning(lines, ("hydra.sweeper.worker_memory=",))
    preload = beginning(lines, ("hydra.sweeper.preload=",))
    if memory and not isinstance(given.launcher, WorkersLauncher):
        raise SweepError(
            f"{memory[-1]} has an effect with hydra/launcher=workers only: leave it out"
        )
    n_jobs = given.settings.n_jobs or getattr(given.launcher, "n_jobs", None)
    if memory and n_jobs is not None:
        raise SweepError(
            f"{memory[-1]} has no effect, since n_jobs={n_jobs} says how many workers there are: "
            "leave one of them out"
        )
    several = beginning(lines, ("hydra.sweeper.n_jobs=",))
    if several and type(given.launcher).__name__ == BASIC and given.settings.n_jobs != 1:
        raise SweepError(
            f"{several[-1]} has no effect with hydra/launcher=basic, which runs one trial at a "
            "time: leave one of them out"
        )
    if preload and not isinstance(given.launcher, PoolLauncher):
        raise SweepError(
            f"{preload[-1]} has an effect with hydra/launcher=workers, ray_tasks or dask_tasks "
            "only: leave it out"
        )
