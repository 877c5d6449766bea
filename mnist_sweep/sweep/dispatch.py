"""How trials get to where they run: the jobs, what comes back, and Hydra's launchers in batches."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher

from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line

log = logging.getLogger(__name__)


class JobEnded(UserError):
    """A job asked its process to end."""


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


class Dispatcher(Protocol):
    """Runs jobs somewhere, some at a time."""

    def expect(self, jobs: int) -> None:
        """Know that so many jobs are going to come, and make ready what takes its time."""

    def free(self) -> int:
        """Return how many more jobs can be started now."""

    def start(self, job: Job) -> None:
        """Start a job. Only while something is free."""

    def running(self) -> list[int]:
        """Return the numbers of the jobs that run, one for each slot in use."""

    def wait(self, timeout: float) -> list[Finished]:
        """Return what has finished, after at most `timeout` seconds where that can be kept."""

    def close(self, patience: float) -> None:
        """End what still runs, giving it some seconds to record that."""


class Batches:
    """Any Hydra launcher: the jobs started since the last wait are one call of `launch`.

    Hydra numbers the jobs of a call on from the first one's number. Where that number names a job's
    directory (`numbered`), only jobs with consecutive numbers go into one call. A launcher that
    raises does not say whose fault it was: the jobs of that call are `suspects`, each launched on
    its own when it is tried again.
    """

    def __init__(self, launcher: Launcher, size: int, numbered: bool = False) -> None:
        self.launcher, self.size, self.numbered = launcher, size, numbered
        self.jobs: list[Job] = []
        self.suspects: set[int] = set()

    def __str__(self) -> str:
        name = type(self.launcher).__name__
        if self.size == 1:
            return f"this process, one trial at a time ({name})"
        return f"{name}, in batches of {self.size}"

    def expect(self, jobs: int) -> None:
        """Make nothing ready: launchers start what they need themselves."""

    def free(self) -> int:
        """Return how many more jobs can be started now."""
        return self.size - len(self.jobs)

    def start(self, job: Job) -> None:
        """Add a job to the batch."""
        self.jobs.append(job)

    def running(self) -> list[int]:
        """Return the numbers of the jobs that run."""
        return [job.number for job in self.jobs]

    def wait(self, timeout: float) -> list[Finished]:
        """Launch the batch and wait for all of it, however long that takes."""
        if not self.jobs:
            time.sleep(timeout)
            return []
        calls: list[list[Job]] = []
        for job in sorted(self.jobs, key=lambda job: job.number):
            if calls and self._go_together(calls[-1][-1], job):
                calls[-1].append(job)
            else:
                calls.append([job])
        finished = [each for jobs in calls for each in self._launch(jobs)]
        self.jobs = []
        return finished

    def _go_together(self, before: Job, job: Job) -> bool:
        if {before.number, job.number} & self.suspects:
            return False
        return not self.numbered or job.number == before.number + 1

    def _launch(self, jobs: list[Job]) -> list[Finished]:
        overrides = [list(job.overrides) for job in jobs]
        try:
            returns = self.launcher.launch(overrides, initial_job_idx=jobs[0].number)
        except HydraException:  # a setting is wrong, which no other try would mend
            raise
        except Exception as error:  # joblib raises when a worker of its dies, and all is lost
            reason = f"{type(self.launcher).__name__}: {one_line(error)}"
            return self._all_lost(jobs, reason, died=True)
        except KeyboardInterrupt:  # the user's, as far as can be told here
            raise
        except BaseException as stop:
            return self._all_lost(jobs, str(ending(stop)), died=len(jobs) > 1)
        return [Finished(job, returned=r) for job, r in zip(jobs, returns, strict=True)]

    def _all_lost(self, jobs: list[Job], reason: str, died: bool) -> list[Finished]:
        if len(jobs) > 1:
            self.suspects |= {job.number for job in jobs}
        return [Finished(job, reason=reason, died=died) for job in jobs]

    def close(self, patience: float) -> None:
        """Forget the batch: nobody waits for it any more."""
        self.jobs = []


class Deaths:
    """Counts how often each job's process died, to know which are worth another try."""

    def __init__(self, max_retries: int) -> None:
        self.max_retries, self.counted = max_retries, Counter[int]()

    def worth_another_try(self, finished: Finished) -> bool:
        """Count a job that finished; whether its process died, and not too often yet."""
        if not finished.died:
            return False
        self.counted[finished.job.number] += 1
        return self.counted[finished.job.number] <= self.max_retries


def run_all(
    dispatcher: Dispatcher,
    jobs: Sequence[Job],
    max_retries: int,
    watch: Callable[[Mapping[int, JobReturn]], None] = lambda returns: None,
) -> list[JobReturn]:
    """Run jobs to their ends and return what they returned, in order.

    One whose worker dies is run again, at most `max_retries` times. `watch` is called about every
    second with what has been returned so far, by number.
    """
    waiting, deaths = list(jobs), Deaths(max_retries)
    returns: dict[int, JobReturn] = {}
    while len(returns) < len(jobs):
        while waiting and dispatcher.free():
            dispatcher.start(waiting.pop(0))
        for finished in dispatcher.wait(timeout=1.0):
            number = finished.job.number
            if finished.returned is not None:
                returns[number] = finished.returned
            elif deaths.worth_another_try(finished):
                log.warning("#%d: %s; running it again", number, finished.reason)
                waiting.append(finished.job)
            else:
                error = RuntimeError(finished.reason)
                returns[number] = failed_return(error, finished.job.overrides)
        watch(returns)
    return [returns[job.number] for job in jobs]


def failed_return(error: Exception, overrides: Sequence[str] = ()) -> JobReturn:
    """Return what Hydra returns for a job that raised, which names the job by its overrides."""
    returned = JobReturn()
    returned.overrides = list(filter_overrides(overrides))
    returned.status = JobStatus.FAILED
    returned.return_value = error
    return returned


def ending(stop: BaseException) -> JobEnded:
    """Return the error of a job that raised what is no Exception: it asked its process to end."""
    if isinstance(stop, SystemExit):
        return JobEnded(f"the job exited with code {stop.code}")
    said = one_line(stop)
    return JobEnded(f"the job raised {type(stop).__name__}" + (f": {said}" if said else ""))
