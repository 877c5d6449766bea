"""The node's side of a cluster: jobs in worker processes as on this machine, kept for the next job.

A call of a cluster's engine (Ray, Dask) watches over one job. The job has a process to itself:
Hydra's state, the working directory and signals are a process's, and Dask runs calls in threads. A
node that dies closes the socket of that process, which then ends at once.
"""

import os
import socket
import sys
import sysconfig
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cloudpickle

from mnist_sweep.sweep.jobs.backend import Finished, Job
from mnist_sweep.sweep.jobs.worker import Program
from mnist_sweep.sweep.jobs.worker_backend import WorkerBackend
from mnist_sweep.sweep.launcher import PATIENCE

KEPT = 60.0  # seconds that an idle worker process waits for another job
POLL = 1.0  # seconds between looks at whether the sweep still wants the job
GPUS = "CUDA_VISIBLE_DEVICES"  # what engines say by it: which GPUs a call has


@dataclass(frozen=True)
class Assignment:
    """What all jobs of a sweep have in common. `sweep` tells it from others' on the node.

    `environment` is that of worker processes; `logs`, `timeout` (seconds) and `preload` are as in
    `WorkerBackend`.
    """

    sweep: str
    task: bytes
    program: Program
    environment: Mapping[str, str]
    logs: Path | None = None
    timeout: float | None = None
    preload: Sequence[str] = ()


def entrance() -> Callable[[Sequence[str], str, bytes], bytes]:
    """Return the function that engines are given: it calls `run(packed)` of a module of ours.

    It is defined here, so that it is pickled with its code and not by its name: the node may find
    this package only once the program's `path` has been added to its own.
    """

    def call(path: Sequence[str], module: str, packed: bytes) -> bytes:
        import importlib
        import sys

        sys.path += [folder for folder in path if folder not in sys.path]
        called: bytes = importlib.import_module(module).run(packed)
        return called

    return call


def own_path(path: Sequence[str]) -> list[str]:
    """Return the folders of an import path that do not belong to the Python installation."""
    installed = {str(Path(folder).resolve()) for folder in sysconfig.get_paths().values()}
    folders = [str(Path(folder).absolute()) for folder in path]  # "" is where it was started
    return [f for f in folders if not any(Path(f).resolve().is_relative_to(i) for i in installed)]


def pack(assignment: Assignment, job: Job) -> bytes:
    """Return a call's argument."""
    packed: bytes = cloudpickle.dumps((assignment, job))
    return packed


def run(packed: bytes, cancelled: Callable[[], bool]) -> bytes:
    """Run the job of a call, and return what became of it, pickled.

    Once `cancelled` says so, or on KeyboardInterrupt, the job is interrupted as by Ctrl-C, and has
    `PATIENCE` seconds to record that.
    """
    assignment, job = cloudpickle.loads(packed)
    reason = "interrupted" if cancelled() else _why_not(assignment)
    return lost(packed, reason) if reason else _packed(_run(assignment, job, cancelled))


def lost(packed: bytes, reason: str) -> bytes:
    """Return what `run` does where the node lost a job, which is worth another try."""
    _, job = cloudpickle.loads(packed)
    return _packed(Finished(job, reason=reason, died=True))


def _packed(finished: Finished) -> bytes:
    packed: bytes = cloudpickle.dumps(finished)
    return packed


def _why_not(assignment: Assignment) -> str | None:
    """Say why this node can run no job; None where it can."""
    folder = assignment.program.directory
    if Path(folder).is_dir():
        return None
    return (
        f"{folder} does not exist on {socket.gethostname()}: start the sweep in a folder that all "
        "nodes share"
    )


def _run(assignment: Assignment, job: Job, cancelled: Callable[[], bool]) -> Finished:
    backend = _KEPT.take(assignment)
    try:
        backend.start(job)
        while not (finished := backend.poll(POLL)):
            if cancelled():
                backend.stop(PATIENCE)
                return Finished(job, reason="interrupted", died=True)
    except BaseException:
        backend.stop(PATIENCE)
        raise
    _KEPT.keep(assignment, backend)
    (ended,) = finished
    return ended


class _Kept:
    """Idle worker processes of this node, by what they may be used for, each for `KEPT` seconds."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.idle: dict[object, list[tuple[WorkerBackend, threading.Timer]]] = {}
        self.made = 0

    def take(self, assignment: Assignment) -> WorkerBackend:
        """Return a backend of one process, an idle one where there is one."""
        with self.lock:
            idle = self.idle.get(_purpose(assignment))
            if idle:
                backend, timer = idle.pop()
                timer.cancel()
                return backend
            number, self.made = self.made, self.made + 1
        return _backend(assignment, f"{socket.gethostname()}-{os.getpid()}-{number}")

    def keep(self, assignment: Assignment, backend: WorkerBackend) -> None:
        """Have a backend wait for another job."""
        purpose = _purpose(assignment)

        def end() -> None:
            with self.lock:
                left = [each for each in self.idle[purpose] if each[0] is not backend]
                taken = len(left) == len(self.idle[purpose])
                self.idle[purpose] = left
            if not taken:
                backend.stop(PATIENCE)

        timer = threading.Timer(KEPT, end)
        timer.daemon = True
        with self.lock:
            self.idle.setdefault(purpose, []).append((backend, timer))
        timer.start()


_KEPT = _Kept()


def _purpose(assignment: Assignment) -> object:
    return assignment.sweep, os.environ.get(GPUS)


def _backend(assignment: Assignment, name: str) -> WorkerBackend:
    program = assignment.program
    path = own_path(program.path)
    there = replace(program, path=[*path, *(each for each in sys.path if each not in path)])
    return WorkerBackend(
        1,
        assignment.task,
        lambda slot: assignment.environment,
        assignment.logs,
        assignment.timeout,
        assignment.preload,
        program=there,
        name=name,
    )
