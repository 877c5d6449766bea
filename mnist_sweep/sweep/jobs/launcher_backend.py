"""Any Hydra launcher as a backend: jobs in batches, each one call of `launch`."""

import time

from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher

from mnist_sweep.sweep.jobs.backend import Finished, Job, ending
from mnist_sweep.text import one_line


class LauncherBackend:
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

    def prepare(self, jobs: int) -> None:
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

    def poll(self, timeout: float) -> list[Finished]:
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

    def give_up(self, number: int, reason: str) -> None:
        """Give up nothing: `poll` has waited for the batch."""

    def stop(self, patience: float) -> None:
        """Forget the batch: nobody waits for it any more."""
        self.jobs = []
