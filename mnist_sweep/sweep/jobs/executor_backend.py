"""Jobs as calls of a cluster's engine: each has a future, and a free place asks for the next."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Protocol

import cloudpickle

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs.backend import Finished, Job
from mnist_sweep.sweep.jobs.node import Assignment, pack
from mnist_sweep.text import counted, one_line, relative, shortened

AGAIN = 5.0  # seconds between looks at how large the cluster is
MARGIN = 5.0  # seconds beyond a job's patience until the cluster has said that it ended
RESUMES = "the same command resumes the study"


class Future(Protocol):
    """What `concurrent.futures`, Ray and Dask call a future, as far as it is needed here."""

    def add_done_callback(self, call: Callable[[Any], object], /) -> None:
        """Have a function called with the future once it is done, in whatever thread."""

    def done(self) -> bool:
        """Whether the call has ended."""

    def result(self) -> bytes:
        """Return what the call returned, or raise what it raised."""


class Executor(Protocol):
    """A cluster's engine. It makes each call once: another try is the sweep's to decide."""

    name: str

    def places(self) -> int:
        """Return how many calls the cluster has room for."""

    def machines(self) -> set[str]:
        """Return the host names of the machines that make calls."""

    def submit(self, packed: bytes) -> Future:
        """Have a job that `node.pack` packed be run by `node.run`."""

    def gone(self, error: BaseException) -> bool:
        """Whether a call's error says that this program has lost the engine, and not a job."""

    def cancel(self) -> None:
        """Ask all calls to end, which may take them some seconds."""

    def close(self) -> None:
        """Leave the cluster; one that was started for this sweep ends."""


class ExecutorBackend:
    """A backend of a cluster's engine: `places` jobs at once, or as many as there is room for.

    The cluster may grow and shrink. Where it has no room at all, one job waits in its queue.
    """

    def __init__(
        self, executor: Executor, assignment: Assignment, places: int | None = None
    ) -> None:
        self.executor, self.assignment, self.fixed = executor, assignment, places
        self.jobs: dict[int, tuple[Job, Future]] = {}
        self.done: queue.SimpleQueue[tuple[int, Future]] = queue.SimpleQueue()
        self.closed = False
        self._look()

    def __str__(self) -> str:
        logs = f", their output in {relative(self.assignment.logs)}" if self.assignment.logs else ""
        return f"{self.executor.name}, {counted(self.places, 'trial')} at once{logs}"

    def _look(self) -> None:
        self.places = self.fixed or max(1, self._ask(self.executor.places))
        self.looked = time.monotonic()

    def _ask(self, call: Callable[[], Any]) -> Any:
        """Call the engine. Raises SweepError where it does not answer."""
        try:
            return call()
        except SweepError:
            raise
        except (Exception, CancelledError) as error:  # each engine has its own kinds
            name = self.executor.name
            said = shortened(one_line(error))
            raise SweepError(f"{name} does not answer: {said}; when it does, {RESUMES}") from error

    def prepare(self, jobs: int) -> None:
        """Start nothing before there is a job: the cluster may be others' too."""

    def free(self) -> int:
        """Return how many more jobs can be started now."""
        return max(0, self.places - len(self.jobs))

    def running(self) -> list[int]:
        """Return the numbers of the jobs that run, or wait in the cluster's queue."""
        return list(self.jobs)

    def start(self, job: Job) -> None:
        """Submit a job."""
        packed = pack(self.assignment, job)
        future: Future = self._ask(lambda: self.executor.submit(packed))
        self.jobs[job.number] = job, future
        future.add_done_callback(lambda done: self.done.put((job.number, future)))

    def poll(self, timeout: float) -> list[Finished]:
        """Return what has finished, after at most `timeout` seconds.

        Raises SweepError where the engine is gone.
        """
        finished = self._wait(timeout)
        if self.fixed is None and time.monotonic() - self.looked > AGAIN:
            self._look()
        return finished

    def _wait(self, timeout: float) -> list[Finished]:
        if not self.jobs:
            time.sleep(timeout)
            return []
        try:
            ended = [self.done.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self.done.empty():
            ended.append(self.done.get())
        return [self._finish(*each) for each in ended if self._is_wanted(*each)]

    def _is_wanted(self, number: int, future: Future) -> bool:
        """Whether a call has not been given up before its node was heard of again."""
        return number in self.jobs and self.jobs[number][1] is future

    def give_up(self, number: int, reason: str) -> Finished:
        """Return a job as died: an engine may take minutes to notice that a node is gone."""
        job, _ = self.jobs.pop(number)
        return Finished(job, reason=reason, died=True)

    def _finish(self, number: int, future: Future) -> Finished:
        job, _ = self.jobs.pop(number)
        try:
            finished: Finished = cloudpickle.loads(future.result())
        except (Exception, CancelledError) as error:  # of the call and not of the job: that is told
            name, said = self.executor.name, shortened(_first_sentence(error))
            if self.executor.gone(error):
                raise SweepError(
                    f"{name} is gone: {said}; when it runs again, {RESUMES}"
                ) from error
            return Finished(job, reason=f"{name} lost it: {said}", died=True)
        return finished

    def stop(self, patience: float) -> None:
        """End what still runs, giving it `patience` seconds to record that, and the engine's part.

        Without patience the engine is left at once. On KeyboardInterrupt, stop it once more so.
        """
        if self.closed:
            return
        # An engine that does not answer has ended what it ran, or its nodes do when they notice.
        if self.jobs and patience:
            with suppress(Exception, CancelledError):
                self._cancel(time.monotonic() + patience + MARGIN)
        self.closed = True
        self.jobs = {}
        with suppress(Exception, CancelledError):
            self.executor.close()

    def _cancel(self, deadline: float) -> None:
        self.executor.cancel()
        while self.jobs and (left := deadline - time.monotonic()) > 0:
            self._wait(left)


def _first_sentence(error: BaseException) -> str:
    """Return an engine's message: its first sentence, without the remote stack."""
    cause = getattr(error, "cause", None)  # Ray's, where the call raised
    error = cause if isinstance(cause, Exception) else error
    name, lines = type(error).__name__, str(error).strip().splitlines()
    said = one_line(lines[0]).partition(". ")[0].rstrip(".") if lines else ""
    return f"{name}: {said}" if said else name
