"""What all backends have: jobs that are run to their ends, and what a job's end is."""

import pytest
from hydra.core.utils import JobReturn, JobStatus

from mnist_sweep.sweep.jobs.backend import Finished, Job, JobEnded, ending, failed_return, run_all


class Script:
    """A backend of some slots: each job's tries in turn are lost (a text) or return a number.

    Of those that run, the latest finishes first.
    """

    def __init__(self, tries, slots=1):
        self.tries, self.slots, self.jobs, self.started = tries, slots, [], []

    def free(self):
        return self.slots - len(self.jobs)

    def start(self, job):
        assert self.free()
        self.jobs.append(job)
        self.started.append(job.number)

    def poll(self, timeout):
        job = self.jobs.pop()
        value = self.tries[job.number].pop(0)
        if isinstance(value, str):
            return [Finished(job, reason=value, died=value != "too long")]
        returned = JobReturn()
        returned.status, returned.return_value = JobStatus.COMPLETED, value
        return [Finished(job, returned=returned)]


def run(tries, slots=1, max_retries=1, watch=lambda returns: None):
    backend = Script(tries, slots)
    jobs = [Job(number, [f"x={number}", "hydra.verbose=true"]) for number in tries]
    return backend, run_all(backend, jobs, max_retries, watch)


@pytest.mark.parametrize("slots", [1, 2, 3, 9])
def test_what_jobs_return_comes_back_in_their_order(slots):
    backend, returns = run({number: [number / 10] for number in range(5)}, slots)
    assert [each.return_value for each in returns] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert sorted(backend.started) == [0, 1, 2, 3, 4]


def test_a_job_that_died_is_run_again_after_those_that_wait(caplog):
    backend, returns = run({0: ["killed", 0.5], 1: [1.5]})
    assert [each.return_value for each in returns] == [0.5, 1.5]
    assert backend.started == [0, 1, 0]
    assert caplog.messages == ["#0: killed; running it again"]


@pytest.mark.parametrize(
    ("tries", "max_retries", "started"),
    [
        (["killed"], 0, 1),
        (["killed", "killed"], 1, 2),
        (["killed", "killed", "killed"], 2, 3),
        (["too long"], 2, 1),  # not worth another try
    ],
)
def test_a_job_that_dies_too_often_has_failed_and_is_named_by_its_overrides(
    tries, max_retries, started, capfd
):
    reason = tries[-1]
    backend, (lost, good) = run({0: tries, 1: [0.5]}, max_retries=max_retries)
    assert backend.started.count(0) == started
    assert (lost.status, lost.overrides) == (JobStatus.FAILED, ["x=0"])
    with pytest.raises(RuntimeError, match=reason):
        _ = lost.return_value
    assert "Error executing job with overrides: ['x=0']" in capfd.readouterr().err
    assert good.return_value == 0.5


def test_whoever_watches_sees_what_has_come_back_so_far():
    seen = []
    run({0: ["killed", 0.5], 1: [1.5]}, watch=lambda returns: seen.append(sorted(returns)))
    assert seen == [[], [1], [0, 1]]


def test_no_jobs_return_nothing():
    assert run({})[1] == []


def test_a_failed_return_raises_its_error_when_it_is_read(capfd):
    with pytest.raises(ValueError, match="why"):
        _ = failed_return(ValueError("why")).return_value


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (SystemExit(4), "the job exited with code 4"),
        (SystemExit(), "the job exited with code None"),
        (KeyboardInterrupt(), "the job raised KeyboardInterrupt"),
        (GeneratorExit("enough,\nreally"), "the job raised GeneratorExit: enough, really"),
    ],
    ids=repr,
)
def test_a_job_that_asks_its_process_to_end_says_so_in_one_line(stop, said):
    error = ending(stop)
    assert isinstance(error, JobEnded)
    assert str(error) == said
