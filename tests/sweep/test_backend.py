"""Hydra's launchers in batches, when something goes wrong in one."""

from hydra.core.utils import JobReturn, JobStatus

from mnist_sweep.sweep.backend import Job, LauncherBackend


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


def run(batches, *numbers):
    for number in numbers:
        batches.start(Job(number, [str(number)]))
    return {finished.job.number: finished for finished in batches.wait(0.0)}


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
    batches = LauncherBackend(launcher, 3)
    first = run(batches, 0, 1)
    assert all(finished.died for finished in first.values())
    again = run(batches, 0, 1, 2)
    assert launcher.calls == [[0, 1], [0], [1], [2]]
    assert again[0].returned is not None
    assert again[1].died
    assert again[1].reason == "Launcher: a worker died"


def test_a_job_that_exits_takes_its_company_with_it_only_once():
    launcher = Launcher(deadly=[1], error=SystemExit(4))
    batches = LauncherBackend(launcher, 2)
    assert all(finished.died for finished in run(batches, 0, 1).values())
    again = run(batches, 0, 1)
    assert again[0].returned is not None
    assert (again[1].died, again[1].reason) == (False, "the job exited with code 4")
