"""The backend of clusters' engines, on a fake engine: futures that a test ends as it likes."""

import queue
import time
from concurrent.futures import CancelledError, Future

import cloudpickle
import pytest
from hydra.core.utils import JobReturn, JobStatus

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs import executor_backend
from mnist_sweep.sweep.jobs.backend import Finished, Job, run_all
from mnist_sweep.sweep.jobs.executor_backend import ExecutorBackend
from mnist_sweep.sweep.jobs.node import Assignment
from mnist_sweep.sweep.jobs.worker import Program


class Engine:
    """An engine whose calls the test ends: `answer` has a result or an error for each in turn."""

    name = "Fake"

    def __init__(self, room=2):
        self.room, self.calls, self.cancelled, self.closed = room, [], False, 0

    def places(self):
        if isinstance(self.room, Exception):
            raise self.room
        return self.room

    def machines(self):
        return {"here"}

    def submit(self, packed):
        if self.closed:
            raise ConnectionError("gone")
        future = Future()
        self.calls.append((cloudpickle.loads(packed)[1], future))
        return future

    def answer(self, number, outcome):
        job, future = next(each for each in reversed(self.calls) if each[0].number == number)
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            returned = JobReturn(status=JobStatus.COMPLETED)
            returned.return_value = outcome
            future.set_result(cloudpickle.dumps(Finished(job, returned)))

    def gone(self, error):
        return isinstance(error, EOFError)

    def cancel(self):
        self.cancelled = True
        for job, future in self.calls:
            if not future.done():
                lost = Finished(job, reason="interrupted", died=True)
                future.set_result(cloudpickle.dumps(lost))

    def close(self):
        self.closed += 1


ASSIGNMENT = Assignment("s", b"", Program([], None, None, [], "."), {})


def backend(engine, places=None):
    return ExecutorBackend(engine, ASSIGNMENT, places)


def test_a_free_place_takes_the_next_job_while_the_other_is_busy():
    engine = Engine()
    jobs = backend(engine)
    for number in (0, 1):
        jobs.start(Job(number, []))
    assert jobs.free() == 0
    engine.answer(1, 0.5)
    (finished,) = jobs.poll(5)
    assert (finished.job.number, finished.returned.return_value) == (1, 0.5)
    assert jobs.running() == [0]
    assert jobs.free() == 1


def test_all_that_has_ended_comes_with_one_look():
    engine = Engine(3)
    jobs = backend(engine)
    for number in (0, 1, 2):
        jobs.start(Job(number, []))
    engine.answer(2, 0.2)
    engine.answer(0, 0.0)
    assert [each.job.number for each in jobs.poll(5)] == [2, 0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("the node\nis gone"), "Fake lost it: ConnectionError: the node"),
        (CancelledError("7"), "Fake lost it: CancelledError: 7"),
        (MemoryError(), "Fake lost it: MemoryError"),
    ],
)
def test_what_an_engine_raises_is_the_death_of_the_jobs_process(error, said):
    engine = Engine()
    jobs = backend(engine)
    jobs.start(Job(0, []))
    engine.answer(0, error)
    (finished,) = jobs.poll(5)
    assert finished.died
    assert finished.reason == said


def test_a_job_that_was_given_up_frees_its_place_and_what_its_call_returns_is_nobodys():
    engine = Engine(1)
    jobs = backend(engine)
    jobs.start(Job(0, []))
    given_up = jobs.give_up(0, "nothing was heard of it")
    assert (given_up.job.number, given_up.reason, given_up.died) == (
        0,
        "nothing was heard of it",
        True,
    )
    assert jobs.free() == 1
    _, first = engine.calls[0]
    jobs.start(Job(0, []))
    first.set_exception(ConnectionError("it was gone for minutes"))
    assert jobs.poll(0.1) == []
    engine.answer(0, 0.5)
    (finished,) = jobs.poll(5)
    assert finished.returned.return_value == 0.5


def test_a_lost_job_is_submitted_again_by_the_sweep_alone():
    engine = Engine(1)
    jobs = backend(engine)
    submit, outcomes = engine.submit, [ConnectionError("gone"), 0.25]

    def answered(packed):
        future = submit(packed)
        engine.answer(0, outcomes.pop(0))
        return future

    engine.submit = answered
    (returned,) = run_all(jobs, [Job(0, [])], max_retries=1)
    assert returned.return_value == 0.25
    assert len(engine.calls) == 2


def test_a_cluster_that_grows_and_shrinks_has_more_and_fewer_jobs(monkeypatch):
    monkeypatch.setattr(executor_backend, "AGAIN", -1.0)
    engine = Engine(2)
    jobs = backend(engine)
    for number in (0, 1):
        jobs.start(Job(number, []))
    engine.room = 3
    jobs.poll(0)
    assert jobs.free() == 1
    engine.room = 1
    jobs.poll(0)
    assert jobs.free() == 0


def test_a_number_of_jobs_that_was_asked_for_stays(monkeypatch):
    monkeypatch.setattr(executor_backend, "AGAIN", -1.0)
    engine = Engine(2)
    jobs = backend(engine, places=7)
    jobs.start(Job(0, []))
    jobs.poll(0)
    assert jobs.free() == 6


def test_a_cluster_without_room_is_given_one_job_which_waits():
    assert backend(Engine(0)).free() == 1


def test_an_engine_that_does_not_answer_ends_the_sweep_in_one_line():
    engine = Engine()
    jobs = backend(engine)
    engine.closed = 1
    with pytest.raises(SweepError, match=r"Fake does not answer: gone; .* resumes the study"):
        jobs.start(Job(0, []))
    with pytest.raises(SweepError, match="Fake does not answer: no room"):
        backend(Engine(OSError("no\nroom")))


def test_an_engine_that_is_lost_ends_the_sweep_whatever_a_job_is_worth():
    engine = Engine()
    jobs = backend(engine)
    jobs.start(Job(0, []))
    engine.answer(0, EOFError("no scheduler"))
    with pytest.raises(SweepError, match="Fake is gone: EOFError: no scheduler; when it runs"):
        jobs.poll(5)


def test_jobs_that_are_stopped_have_time_to_record_it():
    engine = Engine()
    jobs = backend(engine)
    jobs.start(Job(0, []))
    jobs.stop(5)
    assert engine.cancelled
    assert engine.closed == 1
    assert jobs.running() == []


def test_jobs_that_do_not_end_are_left_at_the_deadline(monkeypatch):
    monkeypatch.setattr(executor_backend, "MARGIN", 0.0)
    engine = Engine()
    engine.cancel = lambda: None
    jobs = backend(engine)
    jobs.start(Job(0, []))
    began = time.monotonic()
    jobs.stop(0.05)
    assert time.monotonic() - began < 4
    assert engine.closed == 1


def test_an_engine_that_is_gone_can_be_stopped():
    def gone():
        raise ConnectionError("gone")

    engine = Engine()
    engine.cancel = engine.close = gone
    jobs = backend(engine)
    jobs.start(Job(0, []))
    jobs.stop(5)
    assert jobs.running() == []


def test_without_patience_an_engine_is_left_at_once_and_only_once():
    engine = Engine()
    jobs = backend(engine)
    jobs.start(Job(0, []))
    jobs.stop(0)
    jobs.stop(0)
    assert not engine.cancelled
    assert engine.closed == 1


def test_it_says_what_it_is():
    assert str(backend(Engine(2))) == "Fake, 2 trials at once"
    assert str(backend(Engine(1))) == "Fake, 1 trial at once"


def test_nothing_is_heard_of_a_job_twice():
    engine = Engine()
    jobs = backend(engine)
    jobs.start(Job(0, []))
    engine.answer(0, 1.0)
    jobs.poll(5)
    with pytest.raises(queue.Empty):
        jobs.done.get_nowait()
