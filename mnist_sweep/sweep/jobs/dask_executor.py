"""Dask as an engine: each job is a task of a cluster, there already or started for the sweep."""

import importlib
import logging
import socket
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs import node
from mnist_sweep.sweep.jobs.dask_cluster import engine
from mnist_sweep.sweep.jobs.executor_backend import Future
from mnist_sweep.text import one_line, shortened

log = logging.getLogger("mnist_sweep")

TIMEOUT = 30  # seconds for a scheduler to answer
# A task that its client does not want any more, in a Dask worker that still runs it
# (distributed.dask.org/en/stable/worker-state.html).
UNWANTED = "cancelled"


_ENDED: set[str] = set()  # in a Dask worker: the sweeps that have told it that they end


class DaskExecutor:
    """A Dask cluster: by its scheduler's address or file, or an object of a cluster class.

    The object is closed at the end. `needs` are a job's resources, as Dask workers were
    started with. Raises SweepError.
    """

    name = "Dask"

    def __init__(
        self,
        address: str | None = None,
        scheduler_file: str | None = None,
        cluster: Any = None,
        needs: Mapping[str, float] | None = None,
    ) -> None:
        self.needs, self.path = dict(needs or {}), node.own_path(sys.path)
        self.call, self.cluster = node.entrance(), cluster
        self.sweep, self.submitted = f"mnist_sweep-{uuid.uuid4().hex}", 0
        if scheduler_file is not None and not Path(scheduler_file).is_file():  # Dask would wait
            raise SweepError(
                f"hydra.launcher.scheduler_file={scheduler_file} is not there: start the scheduler "
                f"first (dask scheduler --scheduler-file {scheduler_file})"
            )
        where = {"address": self.cluster or address, "scheduler_file": scheduler_file}
        try:
            self.client = engine().Client(
                **{name: value for name, value in where.items() if value is not None},
                set_as_default=False,
                timeout=TIMEOUT,
            )
        except Exception as error:  # what it raises differs with what is wrong
            given = scheduler_file or address or "of hydra.launcher.cluster"
            said = shortened(one_line(error))
            raise SweepError(f"Dask's scheduler {given} does not answer: {said}") from error
        self._say_room()

    def _say_room(self) -> None:
        """Say what no Dask worker has yet: trials wait until one does."""
        workers = self.client.scheduler_info()["workers"].values()
        for name, need in self.needs.items():
            most = max((worker["resources"].get(name, 0) for worker in workers), default=0)
            if workers and most < need:
                log.warning(
                    "a trial needs %g %s, and no Dask worker has more than %g: trials wait until "
                    "one does",
                    need,
                    name,
                    most,
                )

    def places(self) -> int:
        """Return the threads of the cluster's workers: one runs one trial."""
        return sum(self.client.nthreads().values())

    def machines(self) -> set[str]:
        """Return the host names of the workers."""
        return set(self.client.run(socket.gethostname).values())

    def submit(self, packed: bytes) -> Future:
        """Start a task."""
        self.submitted += 1
        future: Future = self.client.submit(
            self.call,
            self.path,
            __name__,
            packed,
            key=f"{self.sweep}-{self.submitted}",
            pure=False,
            retries=0,
            resources=self.needs,
        )
        return future

    def gone(self, error: BaseException) -> bool:
        """Whether the scheduler is: then all futures are cancelled."""
        return bool(self.client.status != "running")

    def cancel(self) -> None:
        """Tell all workers that the sweep ends. Tasks that wait find that out when they begin."""
        self.client.run(_end, self.sweep, on_error="ignore")

    def close(self) -> None:
        """Leave the scheduler; end a cluster that was started for the sweep."""
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()


def _end(sweep: str) -> None:
    _ENDED.add(sweep)


def run(packed: bytes) -> bytes:
    """Run a job in a task of Dask, in a thread of a process of Dask's.

    A task whose worker died is started again by Dask (`distributed.scheduler.allowed-failures`),
    whatever its `retries` are. Such a one ends at once: another try is the sweep's to decide.
    """
    distributed: Any = importlib.import_module("distributed")
    worker = distributed.get_worker()
    key = str(worker.get_current_task())
    begun = distributed.Event(f"{key}-begun")
    if begun.is_set():
        return node.lost(packed, "the Dask worker that ran it died")
    begun.set()
    sweep = key.rpartition("-")[0]

    def cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return sweep in _ENDED or task is None or task.state == UNWANTED

    return node.run(packed, cancelled)
