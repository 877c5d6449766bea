"""Where jobs run: what a backend does, what a job is, and what comes back of it."""

import io
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Protocol

from hydra.core.utils import JobReturn, JobStatus, filter_overrides

from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line

log = logging.getLogger(__name__)


class JobEnded(UserError):
    """A job's request to end its process."""


@dataclass(frozen=True)
class Job:
    """A trial's number, and the overrides that make it a run."""

    number: int
    overrides: Sequence[str]


@dataclass(frozen=True)
class Finished:
    """What became of a job: `returned`, or the reason why nothing was.

    `died`: the process that ran it is gone, so it is worth another try.
    """

    job: Job
    returned: JobReturn | None = None
    reason: str | None = None
    died: bool = False


class Backend(Protocol):
    """A place that runs jobs, some at a time."""

    def prepare(self, jobs: int) -> None:
        """Expect so many jobs, and start what takes its time."""

    def free(self) -> int:
        """Return how many more jobs can be started now."""

    def start(self, job: Job) -> None:
        """Start a job. Only while something is free."""

    def running(self) -> list[int]:
        """Return the numbers of the jobs that run, one for each slot in use."""

    def poll(self, timeout: float) -> list[Finished]:
        """Return what has finished, after at most `timeout` seconds where that can be kept."""

    def give_up(self, number: int, reason: str) -> Finished | None:
        """Return a running job as died, whose node is not heard of any more.

        None where the backend itself sees whether its jobs live.
        """

    def stop(self, patience: float) -> None:
        """End what still runs, with all that it has started, after at most `patience` seconds."""


def run_all(
    backend: Backend,
    jobs: Sequence[Job],
    max_retries: int,
    watch: Callable[[Mapping[int, JobReturn]], None] = lambda returns: None,
    may_start: Callable[[Job], bool] = lambda job: True,
) -> list[JobReturn]:
    """Run jobs to their ends and return what they returned, in order.

    One whose worker dies is run again, at most `max_retries` times. `watch` is called about every
    second with what has been returned so far, by number. Once `may_start` refuses a job, neither
    that nor those after it are started, and nothing is returned for them.
    """
    waiting, deaths = list(jobs), Counter[int]()
    returns: dict[int, JobReturn] = {}
    while len(returns) < len(jobs):
        while waiting and backend.free():
            if not may_start(waiting[0]):
                jobs = [job for job in jobs if job not in waiting]
                waiting = []
                break
            backend.start(waiting.pop(0))
        if len(returns) == len(jobs):
            break
        for finished in backend.poll(timeout=1.0):
            number = finished.job.number
            deaths[number] += finished.died
            if finished.returned is not None:
                returns[number] = finished.returned
            elif finished.died and deaths[number] <= max_retries:
                log.warning("#%d: %s; running it again", number, finished.reason)
                waiting.append(finished.job)
            else:
                error = RuntimeError(finished.reason)
                returns[number] = failed_return(error, finished.job.overrides)
        watch(returns)
    return [returns[job.number] for job in jobs]


def error_of(returned: JobReturn) -> Exception | None:
    """Return what a job raised; None where it returned a value."""
    if returned.status == JobStatus.COMPLETED:
        return None
    try:
        with redirect_stderr(io.StringIO()):  # Hydra prints a line when a failed job is read
            _ = returned.return_value
    except Exception as error:
        return error
    return None


def failed_return(error: Exception, overrides: Sequence[str] = ()) -> JobReturn:
    """Return what Hydra returns for a job that raised, which names the job by its overrides."""
    returned = JobReturn()
    returned.overrides = list(filter_overrides(overrides))
    returned.status = JobStatus.FAILED
    returned.return_value = error
    return returned


def ending(stop: BaseException) -> JobEnded:
    """Return the error of a job that raised a BaseException: it asked its process to end."""
    if isinstance(stop, SystemExit):
        return JobEnded(f"the job exited with code {stop.code}")
    said = one_line(stop)
    return JobEnded(f"the job raised {type(stop).__name__}" + (f": {said}" if said else ""))
