"""Persistent worker processes, one job at a time each; the loss of one leaves the others."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO

import cloudpickle

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs import process_group
from mnist_sweep.sweep.jobs.backend import Finished, Job
from mnist_sweep.sweep.jobs.worker import Program, Task
from mnist_sweep.text import one_line, relative

log = logging.getLogger("mnist_sweep")

# The path before anything is imported: unpickling the task imports its modules. The first
# exit handler is the last to run, after multiprocessing's, which waits for a job's own processes.
BOOT = """
import sys
sys.path[:] = {path!r}
import atexit
from mnist_sweep.sweep.jobs import process_group
atexit.register(process_group.terminate_rest)
from mnist_sweep.sweep.jobs.worker import serve
serve({fd})
"""

POLL = 1.0  # seconds after which a dead worker is noticed that left its socket to a child
MEANING = {"SIGKILL": "out of memory, or kill -9", "SIGSEGV": "segmentation fault"}


class Worker:
    """One process, and the job that it runs."""

    def __init__(
        self,
        task: bytes,
        environment: Mapping[str, str],
        log: Path | None,
        preload: Sequence[str],
        program: Program,
    ) -> None:
        ours, theirs = socket.socketpair()
        output: IO[bytes] | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("ab")
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-c", BOOT.format(path=list(program.path), fd=theirs.fileno())],
            cwd=program.directory,
            pass_fds=(theirs.fileno(),),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        theirs.close()
        if output is not None:
            output.close()
        self.connection = Connection(ours.detach())
        with suppress(OSError):  # it has died already, which `poll` finds
            self.connection.send((program, list(preload)))
            self.connection.send_bytes(task)
        self.job: Job | None = None
        self.started = 0.0

    def start(self, job: Job) -> None:
        """Send it a job."""
        self.job, self.started = job, time.monotonic()
        with suppress(OSError):
            self.connection.send((job.number, list(job.overrides)))

    def death(self) -> str:
        """Say how the process ended; what it has left, or itself where it lives on, is killed."""
        try:
            code = self.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:  # it has closed its socket
            code = None
        process_group.kill(self.process.pid)
        code = self.process.wait() if code is None else code
        where = f"; see {relative(self.log)}" if self.log else ""
        if code >= 0:
            return f"the worker process exited with code {code}{where}"
        name = _name_of_signal(-code)
        meaning = f" ({MEANING[name]})" if name in MEANING else ""
        return f"the worker process was ended by {name}{meaning}{where}"

    def kill(self) -> None:
        """End the process now, with all that its job has started."""
        process_group.kill(self.process.pid)
        self.process.wait()
        self.connection.close()

    def ask_to_end(self) -> None:
        """Have an idle process end as any does, and interrupt a job as Ctrl-C would."""
        if self.job is not None:
            self.process.terminate()
        else:
            self.connection.close()

    def end(self, deadline: float | None) -> None:
        """Wait for the process that was asked to end, and kill it at the deadline."""
        try:
            self.process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
        process_group.end(self.process.pid)
        self.connection.close()


def packed(task: Task) -> bytes:
    """Return a task as workers receive it. Raises SweepError where it cannot be sent."""
    try:
        sent: bytes = cloudpickle.dumps(task)
    except Exception as error:  # the function's module may hold a lock, or an open file
        raise SweepError(
            f"the task function cannot be sent to a worker process ({one_line(error)}); move "
            "what it refers to into a module, or use hydra/launcher=basic"
        ) from error
    return sent


class WorkerBackend:
    """A backend of `count` worker processes, each started when it is needed or expected to be.

    A process imports the modules in `preload` before its first job. `environment(slot)` gives a
    slot's environment variables. Output goes to a file for each slot in `logs`, or where this
    process's goes. A job that runs longer than `timeout` seconds is killed. `why`: what the machine
    holds the number of processes by.

    Elsewhere than where the program runs: `task` as `packed` gave it, the `program`, and a `name`
    for the files of output in place of the machine's.
    """

    def __init__(
        self,
        count: int,
        task: Task | bytes,
        environment: Callable[[int], Mapping[str, str]],
        logs: Path | None = None,
        timeout: float | None = None,
        preload: Sequence[str] = (),
        why: str | None = None,
        program: Program | None = None,
        name: str | None = None,
    ) -> None:
        self.task = task if isinstance(task, bytes) else packed(task)
        self.environment, self.logs, self.timeout = environment, logs, timeout
        self.preload, self.why = preload, why
        self.program, self.name = program, name or socket.gethostname()
        self.slots: list[Worker | None] = [None] * count

    def __str__(self) -> str:
        logs = f", their output in {relative(self.logs)}" if self.logs else ""
        count = len(self.slots)
        why = f" ({self.why})" if self.why else ""
        return f"{count} process{'es' if count > 1 else ''} of this machine{why}{logs}"

    def prepare(self, jobs: int) -> None:
        """Start the processes that so many jobs will need."""
        for slot in range(min(jobs, len(self.slots))):
            if self.slots[slot] is None:
                self.slots[slot] = self._worker(slot)

    def free(self) -> int:
        """Return how many more jobs can be started now."""
        return sum(worker is None or worker.job is None for worker in self.slots)

    def running(self) -> list[int]:
        """Return the numbers of the jobs that run."""
        return [w.job.number for w in self.slots if w is not None and w.job is not None]

    def start(self, job: Job) -> None:
        """Give a job to an idle worker. Raises IndexError when none is."""
        idle = [n for n, w in enumerate(self.slots) if w is not None and w.job is None]
        slot = (idle or [n for n, w in enumerate(self.slots) if w is None])[0]
        worker = self.slots[slot]
        if worker is not None and worker.process.poll() is not None:  # died while it was idle
            worker.kill()
            worker = None
        if worker is None:
            worker = self.slots[slot] = self._worker(slot)
        worker.start(job)

    def _worker(self, slot: int) -> Worker:
        log = self.logs / f"{self.name}-{slot}.log" if self.logs else None
        program = self.program or Program.this()
        return Worker(self.task, self.environment(slot), log, self.preload, program)

    def poll(self, timeout: float) -> list[Finished]:
        """Return what has finished, after at most `timeout` seconds."""
        busy = {w.connection: n for n, w in enumerate(self.slots) if w is not None and w.job}
        if not busy:
            time.sleep(timeout)
            return []
        ready = wait(list(busy), min(timeout, POLL))
        finished = []
        for connection, slot in busy.items():
            worker = self.slots[slot]
            assert worker is not None
            if connection in ready:
                finished.append(self._receive(slot, worker))
            elif worker.process.poll() is not None:
                finished.append(self._lose(slot, worker))
            elif self.timeout and time.monotonic() - worker.started > self.timeout:
                finished.append(self._time_out(slot, worker))
        return finished

    def _receive(self, slot: int, worker: Worker) -> Finished:
        assert worker.job is not None
        try:
            returned = cloudpickle.loads(worker.connection.recv_bytes())
        except (EOFError, OSError):
            return self._lose(slot, worker)
        job, worker.job = worker.job, None
        return Finished(job, returned=returned)

    def _lose(self, slot: int, worker: Worker) -> Finished:
        assert worker.job is not None
        reason = worker.death()
        worker.connection.close()
        self.slots[slot] = None
        return Finished(worker.job, reason=reason, died=True)

    def _time_out(self, slot: int, worker: Worker) -> Finished:
        assert worker.job is not None
        worker.kill()
        self.slots[slot] = None
        return Finished(
            worker.job, reason=f"it ran longer than trial_timeout={self.timeout:g} seconds"
        )

    def give_up(self, number: int, reason: str) -> None:
        """Give up nothing: the processes are of this machine, where `poll` sees them end."""

    def stop(self, patience: float) -> None:
        """End what still runs, giving it `patience` seconds to record that.

        An idle process ends as any does, however long its threads and exit handlers take, unless
        there is no patience at all. On KeyboardInterrupt, stop it once more without.
        """
        workers = [worker for worker in self.slots if worker is not None]
        for worker in workers:
            worker.ask_to_end()
        deadline = time.monotonic() + patience
        busy = [worker for worker in workers if worker.job is not None or not patience]
        for worker in busy:
            worker.end(deadline)
        idle = [worker for worker in workers if worker not in busy]
        for worker in idle:
            self._outlast(worker, deadline)
        self.slots = [None] * len(self.slots)

    def _outlast(self, worker: Worker, deadline: float) -> None:
        """Wait for an idle worker's end, and say so when that takes long."""
        try:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning(
                "waiting for worker process %d to end: the machine is busy, or its jobs left "
                "threads or exit handlers; press Ctrl-C to end it now",
                worker.process.pid,
            )
        worker.end(None)


def _name_of_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"
