"""Hydra's launchers as a backend: jobs in batches, also when something goes wrong in one."""

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException

from mnist_sweep.sweep.jobs.backend import Job
from mnist_sweep.sweep.jobs.launcher_backend import LauncherBackend


class Launcher:
    """Raises for a batch that has a deadly job in it; says nothing of the others, as joblib."""

    def __init__(self, deadly=(), error=None):
        self.deadly, self.error = set(deadly), error or RuntimeError("a worker died")
        self.calls = []

    def launch(self, overrides, initial_job_idx):
        numbers = [int(override[0]) for override in overrides]
        self.calls.append(numbers)
        if self.deadly & set(numbers):
            raise self.error
        returned = JobReturn()
        returned.status = JobStatus.COMPLETED
        return [returned for _ in numbers]


def run(backend, *numbers):
    for number in numbers:
        backend.start(Job(number, [str(number)]))
    return {finished.job.number: finished for finished in backend.poll(0.0)}


def test_a_batch_is_as_many_jobs_as_there_are_slots_and_is_launched_when_it_is_waited_for():
    launcher = Launcher()
    backend = LauncherBackend(launcher, 3)
    backend.prepare(9)
    assert (backend.free(), backend.running()) == (3, [])
    backend.start(Job(4, ["4"]))
    backend.start(Job(5, ["5"]))
    assert (backend.free(), backend.running()) == (1, [4, 5])
    assert launcher.calls == []
    finished = backend.poll(0.0)
    assert [each.job.number for each in finished] == [4, 5]
    assert all(each.returned.status == JobStatus.COMPLETED for each in finished)
    assert (backend.free(), backend.running(), backend.poll(0.0)) == (3, [], [])
    assert launcher.calls == [[4, 5]]


def test_a_batch_is_forgotten_when_nobody_waits_for_it_any_more():
    launcher = Launcher()
    backend = LauncherBackend(launcher, 2)
    backend.start(Job(0, ["0"]))
    backend.stop(10.0)
    assert (backend.running(), backend.poll(0.0), launcher.calls) == ([], [], [])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), HydraException("a wrong setting")])
def test_what_no_other_try_would_mend_ends_the_sweep(error):
    with pytest.raises(type(error)):
        run(LauncherBackend(Launcher([0], error), 1), 0)


def test_a_job_that_raises_on_its_own_has_died_by_the_launchers_word():
    finished = run(LauncherBackend(Launcher([0]), 1), 0)[0]
    assert (finished.died, finished.reason) == (True, "Launcher: a worker died")


@pytest.mark.parametrize(
    ("size", "said"),
    [(1, "this process, one trial at a time (Launcher)"), (4, "Launcher, in batches of 4")],
)
def test_it_says_where_trials_run(size, said):
    assert str(LauncherBackend(Launcher(), size)) == said


def test_the_jobs_of_a_batch_are_one_call():
    launcher = Launcher()
    run(LauncherBackend(launcher, 3), 4, 2, 7)
    assert launcher.calls == [[2, 4, 7]]


def test_where_numbers_name_directories_a_call_has_consecutive_ones():
    launcher = Launcher()
    run(LauncherBackend(launcher, 3, numbered=True), 4, 2, 3, 7)
    assert launcher.calls == [[2, 3, 4], [7]]


def test_jobs_whose_batch_was_lost_are_tried_again_one_by_one():
    launcher = Launcher(deadly=[1])
    backend = LauncherBackend(launcher, 3)
    first = run(backend, 0, 1)
    assert all(finished.died for finished in first.values())
    again = run(backend, 0, 1, 2)
    assert launcher.calls == [[0, 1], [0], [1], [2]]
    assert again[0].returned is not None
    assert again[1].died
    assert again[1].reason == "Launcher: a worker died"


def test_a_job_that_exits_takes_its_company_with_it_only_once():
    launcher = Launcher(deadly=[1], error=SystemExit(4))
    backend = LauncherBackend(launcher, 2)
    assert all(finished.died for finished in run(backend, 0, 1).values())
    again = run(backend, 0, 1)
    assert again[0].returned is not None
    assert (again[1].died, again[1].reason) == (False, "the job exited with code 4")
