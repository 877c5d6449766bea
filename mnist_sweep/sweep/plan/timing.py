"""Timing configurations in worker processes, as many at once as the sweep would run.

Neighbours slow each other down, so that one process alone would say too little.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import psutil
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig

from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.run.cores import cores
from mnist_sweep.sweep.cluster_launchers import ClusterLauncher
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.jobs.backend import Job, error_of, run_all
from mnist_sweep.sweep.jobs.resources import divide
from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend
from mnist_sweep.sweep.launcher import WorkersLauncher
from mnist_sweep.sweep.probe import Probe, RunCost
from mnist_sweep.text import one_line

SECONDS, WARM_UP = 2.0, 0.1  # that a configuration is timed for
CONFIGURATIONS = 6  # at least so many are timed


@dataclass(frozen=True)
class Probed:
    """What a run costs, and when that was known (`time.time()`)."""

    cost: RunCost
    at: float


def ask(probe: Probe, config: DictConfig, hydra: DictConfig, seconds: float) -> RunCost:
    """Ask an application what a run costs. Raises UserError, SweepError for a wrong answer."""
    try:
        cost = probe(config, hydra, seconds)
    except UserError:
        raise
    except Exception as error:
        raise SweepError(
            f"hydra.sweeper.probe raised {type(error).__name__}: {one_line(error)}"
        ) from error
    if not isinstance(cost, RunCost):
        raise SweepError(
            "hydra.sweeper.probe must return a mnist_sweep.sweep.probe.RunCost, but returned a "
            f"{type(cost).__name__}"
        )
    if seconds and not cost.epoch_seconds:
        raise SweepError(
            f"hydra.sweeper.probe was given {seconds:g} seconds and timed nothing: have it fill "
            "epoch_seconds"
        )
    return cost


@dataclass(frozen=True)
class ProbeTask:
    """A worker's task: say what a configuration costs. It makes no directory, and no log.

    Jobs with a number below 0 are there to have the worker import and load what others need.
    """

    context: HydraContext
    config: DictConfig
    probe: Probe
    singletons: Any
    seconds: float

    def run(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """Compose a job's config as the sweep does, and time it."""
        setup_globals()
        Singleton.set_state(self.singletons)
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        HydraConfig.instance().set_config(config)
        job, hydra = without_hydra(config), config.hydra
        with redirect_stdout(sys.stderr):  # standard output is the plan's
            cost = ask(self.probe, job, hydra, self.seconds if number >= 0 else WARM_UP)
        returned = JobReturn(status=JobStatus.COMPLETED)
        returned.return_value = Probed(cost, time.time())
        return returned


class Timer:
    """Worker processes that time configurations. Use it as a context: it ends them.

    `workers`: how many the sweep would have. Of a cluster's, as many as this machine has cores for.
    """

    def __init__(self, given: Given, probe: Probe, workers: int, seconds: float = SECONDS) -> None:
        launcher = given.launcher
        threads: int | None = None
        if isinstance(launcher, WorkersLauncher | ClusterLauncher):
            threads = launcher.threads
        if isinstance(launcher, ClusterLauncher):
            workers = min(workers, cores())
        environments = divide(given.config, workers, threads).environments
        task = ProbeTask(given.context, given.config, probe, Singleton.get_state(), seconds)
        self.workers, self.seconds = workers, seconds
        self.backend = WorkerBackend(
            workers, task, environments.__getitem__, preload=given.settings.preload
        )
        self.backend.prepare(workers)
        self.start_up = 0.0  # seconds from this program's start until all workers could begin

    def __enter__(self) -> "Timer":
        return self

    def __exit__(self, *error: object) -> None:
        self.backend.stop(0)

    def warm_up(self, overrides: Sequence[str]) -> None:
        """Have each worker import and load what a job needs, as at the start of a sweep."""
        for slot in range(self.workers):
            self.backend.start(Job(slot - self.workers, list(overrides)))
        ready = []
        while self.backend.running():
            for finished in self.backend.poll(timeout=1.0):
                ready.append(self._probed(finished.returned, finished.reason).at)
        self.start_up = max(ready) - WARM_UP - psutil.Process().create_time()

    def time(self, configurations: Sequence[Sequence[str]]) -> list[RunCost]:
        """Time configurations, all workers at a time; return what each costs."""
        jobs = [Job(number, list(lines)) for number, lines in enumerate(configurations)]
        returns = run_all(self.backend, jobs, max_retries=0)
        return [self._probed(returned, None).cost for returned in returns]

    def _probed(self, returned: JobReturn | None, reason: str | None) -> Probed:
        """Return what a job found. Raises SweepError where it found nothing."""
        if returned is None:
            raise SweepError(f"hydra.sweeper.probe: {reason}")
        error = error_of(returned)
        if error is not None:
            said = one_line(error) or type(error).__name__
            raise SweepError(said) from error
        probed = returned.return_value
        assert isinstance(probed, Probed)
        return probed
