"""The engine with a backend that runs nothing: what it does of what was decided."""

import errno
import os
import shutil
import time
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from mnist_sweep.errors import LeaseLost, MachineError
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.engine import Engine
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs.backend import Finished, failed_return
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.trials.leases import JOB, SWEEP, beat_of, this_process
from mnist_sweep.sweep.trials.proposals import GatedSpace, Proposer
from mnist_sweep.sweep.trials.queue import Limits, TrialQueue
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.retries import DEATHS
from mnist_sweep.sweep.trials.status import status_of
from mnist_sweep.sweep.trials.tally import Tally

CONFIG = OmegaConf.create({"x": 0.5, "hydra": {"runtime": {"choices": {}}}})


class FakeBackend:
    """Finishes every job at the next poll, as `script` has it for the trial's launches in turn."""

    def __init__(self, script=None, slots=1):
        self.script, self.slots = script or {}, slots
        self.jobs, self.launches, self.stopped = [], [], []

    def prepare(self, jobs):
        self.prepared = jobs

    def free(self):
        return self.slots - len(self.jobs)

    def start(self, job):
        self.jobs.append(job)
        self.launches.append(job.number)

    def running(self):
        return [job.number for job in self.jobs]

    def poll(self, timeout):
        jobs, self.jobs = self.jobs, []
        return [self.finish(job) for job in jobs]

    def finish(self, job):
        launches = self.script.get(job.number) or [1.0]
        outcome = launches.pop(0)
        if callable(outcome):
            outcome = outcome(job)
        if isinstance(outcome, str):
            return Finished(job, reason=outcome, died=True)
        if isinstance(outcome, BaseException):
            if not isinstance(outcome, Exception):
                raise outcome
            return Finished(job, returned=failed_return(outcome))
        returned = JobReturn(status=JobStatus.COMPLETED)
        returned.return_value = outcome
        return Finished(job, returned=returned)

    def give_up(self, number, reason):
        return None

    def stop(self, patience):
        self.stopped.append(patience)


class Cluster(FakeBackend):
    """A backend whose first job is on a node that beats `beats` times, and is gone without a word.

    Its engine never says so. The next try finishes after `waits` polls.
    """

    def __init__(self, storage, beats=0, waits=0):
        super().__init__()
        self.records, self.left, self.waits = storage, beats, waits
        self.given_up = []

    def start(self, job):
        super().start(job)
        if len(self.launches) == 1:
            self.mark(JOB, {**this_process(), "host": "another", "token": "first"})

    def mark(self, key, value):
        study = optuna.load_study(study_name="s", storage=self.records)
        TrialRecords(study, self.records).mark(0, key, value)

    def poll(self, timeout):
        time.sleep(0.05)
        if len(self.launches) == 1:
            if self.left:
                self.left -= 1
                self.mark(beat_of(JOB), {"token": "first", "count": self.left})
            return []
        self.waits -= 1
        return super().poll(timeout) if self.waits < 0 else []

    def give_up(self, number, reason):
        self.given_up.append(self.left)
        (job,) = self.jobs
        self.jobs = []
        return Finished(job, reason=reason, died=True)


class Heard(SweepCallback):
    """Notes what it is told of."""

    def __init__(self):
        self.events = []

    def launched(self, number):
        self.events.append(("launched", number))

    def retried(self, number, reason):
        self.events.append(("retried", number, reason))

    def requeued(self, number):
        self.events.append(("requeued", number))

    def lease_lost(self, number):
        self.events.append(("lease lost", number))

    def failed(self, number, reason):
        self.events.append(("failed", number, reason))

    def complete(self, number, values):
        self.events.append(("complete", number))

    def stopped(self, reason):
        self.events.append(("stopped", reason))

    def ended(self):
        self.events.append(("ended",))


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def storage():
    return InMemoryStorage()


@pytest.fixture
def run(storage, tmp_path):
    """Return a function that runs the study on a backend; it returns the study and what was heard.

    Each call is a sweep of its own: what one leaves, the next one finds.
    """

    def run_sweep(backend, total=2, names_trials=False, lock=nullcontext, **settings):
        study = optuna.create_study(
            study_name="s", storage=storage, direction="maximize", load_if_exists=True
        )
        records = TrialRecords(study, storage)
        space = parse_space({}, None, ["x=interval(0,1)"])
        tally = Tally(study)
        gated_space = GatedSpace(space, BaseConfig(CONFIG), None, None, None)
        queue = TrialQueue(
            records,
            tally,
            lock,
            Proposer(records, gated_space, resamples=0),
            Limits(total, total),
            grace_period=settings.get("grace_period", 60.0),
            claim=SimpleNamespace(check=lambda: None, record=lambda: None),
        )
        given = SimpleNamespace(
            settings=Settings(n_trials=total, **settings),
            task=SimpleNamespace(names_trials=names_trials, lease_overrides=lambda token: []),
            directory=tmp_path,
        )
        opened = SimpleNamespace(
            study=study, tally=tally, queue=queue, gated_space=gated_space, total=total
        )
        heard = Heard()
        engine = Engine(given, opened, backend, [heard])
        engine.run(lambda: False)
        return study, heard.events

    return run_sweep


def test_a_sweep_runs_to_its_total_and_stops_its_backend(run):
    backend = FakeBackend(slots=2)
    study, heard = run(backend, total=3)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    assert backend.prepared == 3
    assert backend.stopped == [10.0]
    assert heard[-1] == ("ended",)


def test_a_trial_whose_process_dies_is_launched_again_and_its_deaths_are_counted(run):
    backend = FakeBackend({0: ["killed", "killed", 0.9]})
    study, heard = run(backend, total=1)
    assert backend.launches == [0, 0, 0]
    assert study.trials[0].value == 0.9
    assert study.trials[0].system_attrs[DEATHS]["count"] == 2
    assert heard.count(("retried", 0, "killed")) == 2


def test_a_job_on_another_machine_that_is_not_heard_of_is_run_again(run, storage):
    backend = Cluster(storage)
    study, heard = run(backend, total=1, grace_period=0.3)
    assert backend.launches == [0, 0]
    assert ("retried", 0, "nothing was heard of it for 0.3 s") in heard
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]
    assert study.trials[0].system_attrs[DEATHS]["count"] == 1


def test_a_job_on_another_machine_is_not_given_up_as_long_as_its_lease_is_renewed(run, storage):
    backend = Cluster(storage, beats=50)  # for two seconds and a half
    run(backend, total=1, grace_period=1.5)
    assert backend.given_up == [0]


def test_the_next_try_of_a_job_that_was_not_heard_of_may_wait_for_a_place(run, storage):
    backend = Cluster(storage, waits=20)
    run(backend, total=1, grace_period=0.3)
    assert backend.launches == [0, 0]


def test_a_job_is_not_given_up_while_the_storage_does_not_answer(run, storage, monkeypatch):
    backend, answer = Cluster(storage, waits=0), storage.get_all_trials
    begun = []

    def silent(*arguments, **named):
        if backend.launches == [0]:
            begun.append(time.monotonic())
            if begun[-1] - begun[0] < 1:
                raise StorageInternalError("no answer")
            backend.mark(beat_of(JOB), {"token": "first", "count": 1})
            backend.launches.append("heard of")
        return answer(*arguments, **named)

    monkeypatch.setattr(storage, "get_all_trials", silent)
    run(backend, total=1, grace_period=0.3)
    assert backend.given_up == []


def test_a_trial_whose_giving_out_was_not_answered_is_given_out_again(run):
    """The database restarts while its lock is held: what was done under it is there."""
    failures = [StorageInternalError("the connection is gone")]

    @contextmanager
    def lock():
        yield
        if failures:
            raise failures.pop()

    backend = FakeBackend()
    study, _ = run(backend, total=2, lock=lock)
    assert failures == []
    assert [status_of(trial) for trial in study.trials] == ["complete"] * 2
    assert backend.launches == [0, 1]


def test_a_trial_that_kills_its_processes_fails(run):
    study, heard = run(FakeBackend({0: ["killed"] * 3}), max_failure_rate=1.0)
    assert [status_of(trial) for trial in study.trials] == ["failed", "complete"]
    assert ("failed", 0, "killed") in heard


def test_deaths_are_counted_over_the_restarts_of_the_sweep(run):
    """Two deaths, Ctrl-C, and one more death in the next call: that is one too many."""
    backend = FakeBackend({0: ["killed", "killed", KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        run(backend, total=1)
    again = FakeBackend({0: ["killed", 0.9]})
    study, _ = run(again, total=1, max_failure_rate=1.0)
    assert again.launches == [0]
    assert status_of(study.trials[0]) == "failed"


def test_an_abandoned_trial_that_kills_every_process_it_meets_is_given_up(run, storage):
    """Its sweep dies with it each time: a process of this machine's that is no more."""
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    gone = {**this_process(), "pid": 2**22 + 1}
    records = TrialRecords(study, storage)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    records.mark(trial.number, SWEEP, gone)
    records.mark(trial.number, DEATHS, {"count": 2, "reports": 0})
    study, heard = run(FakeBackend(), total=2, max_failure_rate=1.0)
    assert [status_of(trial) for trial in study.trials] == ["failed", "complete"]
    assert study.trials[0].user_attrs["reason"].startswith("its process died 3 times in a row")
    assert ("launched", 0) not in heard


def test_an_abandoned_trial_is_requeued_and_launched_again(run, storage):
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    records = TrialRecords(study, storage)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    records.mark(trial.number, SWEEP, {**this_process(), "pid": 2**22 + 1})
    study, heard = run(FakeBackend(), total=2)
    assert heard[:2] == [("requeued", 0), ("launched", 0)]
    assert [status_of(trial) for trial in study.trials] == ["complete"] * 2


def test_ctrl_c_leaves_the_trial_to_be_resumed_by_the_next_call(run):
    with pytest.raises(KeyboardInterrupt):
        run(FakeBackend({0: [KeyboardInterrupt()]}), total=1)
    backend = FakeBackend()
    study, _ = run(backend, total=1)
    assert backend.launches == [0]
    assert len(study.trials) == 1


def test_a_trial_that_another_sweep_has_taken_is_left_to_it(run, storage):
    def taken(job):
        study_id = storage.get_study_id_from_name("s")
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, job.number)
        record = storage.get_trial(trial_id).system_attrs[SWEEP]
        storage.set_trial_system_attr(trial_id, SWEEP, {**record, "token": "another's"})
        return 0.9

    study, heard = run(FakeBackend({0: [taken]}), total=1)
    assert study.trials[0].state == TrialState.RUNNING
    assert ("lease lost", 0) in heard


def test_one_failure_too_many_ends_the_sweep_and_leaves_the_others_to_be_resumed(run, storage):
    with pytest.raises(SweepError, match="1 trial failed, more than"):
        run(FakeBackend({0: [ValueError("no")]}, slots=1), total=3)
    study = optuna.load_study(study_name="s", storage=storage)
    assert [status_of(trial) for trial in study.trials] == ["failed"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl"),
        OSError(errno.EROFS, os.strerror(errno.EROFS), "metrics.jsonl"),
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        MachineError("the storage does not answer its job: database is locked"),
    ],
)
def test_a_job_that_the_machine_refuses_stops_the_sweep_and_is_run_again(run, error):
    with pytest.raises(SweepError, match=r"trial 0 cannot continue: .*the same command resumes"):
        run(FakeBackend({0: [error]}))
    study, heard = run(FakeBackend({0: [0.5]}))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]
    assert study.trials[0].value == 0.5
    assert ("failed", 0) not in [event[:2] for event in heard]


def test_a_job_that_misses_a_file_of_its_own_fails(run):
    missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "weights.pt")
    study, _ = run(FakeBackend({0: [missing]}), max_failure_rate=1.0)
    assert study.trials[0].state.name == "FAIL"
    assert study.trials[0].user_attrs["reason"].startswith("FileNotFoundError")


def test_a_trial_whose_run_directory_was_removed_is_run_again(run, tmp_path):
    def removed(job):
        shutil.rmtree(tmp_path / str(job.number), ignore_errors=True)
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "metrics.jsonl")

    study, heard = run(FakeBackend({0: [removed, 0.5]}), names_trials=True)
    assert study.trials[0].value == 0.5
    assert ("retried", 0, "its run directory was removed while it ran") in heard


def test_a_trial_whose_run_directory_is_removed_again_and_again_fails(run, tmp_path):
    missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "metrics.jsonl")
    study, _ = run(
        FakeBackend({0: [missing] * 3}), names_trials=True, max_retries=2, max_failure_rate=1.0
    )
    assert study.trials[0].state.name == "FAIL"
    assert study.trials[0].user_attrs["reason"] == "its run directory was removed while it ran"


def test_a_queue_that_the_storage_does_not_answer_is_asked_again(run, storage, monkeypatch):
    failures = iter([StorageInternalError("the server restarts")])
    ask = storage.create_new_trial

    def create_new_trial(*arguments, **named):
        for error in failures:
            raise error
        return ask(*arguments, **named)

    monkeypatch.setattr(storage, "create_new_trial", create_new_trial)
    monkeypatch.setattr("mnist_sweep.sweep.storage.time.sleep", lambda seconds: None)
    study, _ = run(FakeBackend({}))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]


def test_a_plateau_ends_a_sweep(run):
    study, heard = run(FakeBackend({0: [0.9]}), total=9, plateau=2)
    assert [trial.value for trial in study.trials] == [0.9, 1.0, 1.0, 1.0]
    assert ("stopped", "no better trial among the last 2 (plateau)") in heard


def test_a_target_ends_a_sweep_and_running_trials_finish(run):
    backend = FakeBackend({0: [0.5], 1: [0.7], 2: [0.6]}, slots=2)
    study, heard = run(backend, total=9, target=0.7)
    assert [trial.value for trial in study.trials] == [0.5, 0.7]
    assert ("stopped", "the best value, 0.7, reaches target=0.7") in heard


def test_a_time_out_ends_a_sweep(run, monkeypatch):
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr("mnist_sweep.sweep.engine.time.monotonic", lambda: float(next(clock)))
    study, heard = run(FakeBackend(), total=9, timeout=100.0)
    assert len(study.trials) < 9
    assert ("stopped", "timeout=100 seconds have passed") in heard


def test_a_job_that_lost_its_lease_is_not_retried_where_the_sweep_has_lost_its_own(run, storage):
    """Another program ended the trial: neither the job nor a retry has anything left to do."""

    def ended(job):
        optuna.load_study(study_name="s", storage=storage).tell(job.number, 0.5)
        return LeaseLost("trial 0 was taken over")

    backend = FakeBackend({0: [ended]})
    study, heard = run(backend, total=1)
    assert backend.launches == [0]
    assert ("lease lost", 0) in heard
    assert study.trials[0].value == 0.5


def test_a_job_that_lost_its_lease_to_another_job_of_the_same_sweep_is_retried(run):
    backend = FakeBackend({0: [LeaseLost("trial 0 was taken over"), 0.9]})
    study, _ = run(backend, total=1)
    assert backend.launches == [0, 0]
    assert study.trials[0].value == 0.9


def test_a_storage_that_does_not_answer_while_jobs_run_is_asked_again_later(run, storage):
    """As long as no job has ended, nothing needs it."""
    read, polls = storage.get_all_trials, iter(range(9))

    def unanswered(*given, **named):
        raise StorageInternalError("no answer")

    class Slow(FakeBackend):
        def poll(self, timeout):
            if next(polls) < 2:
                storage.get_all_trials = unanswered
                return []
            storage.get_all_trials = read
            return super().poll(timeout)

    study, _ = run(Slow(), total=1)
    assert study.trials[0].value == 1.0


def test_results_that_came_back_with_a_failure_are_told_before_it_ends_the_sweep(run, storage):
    backend = FakeBackend({0: [RuntimeError("no")], 1: [0.5], 2: [0.6]}, slots=3)
    with pytest.raises(SweepError, match="no"):
        run(backend, total=3)
    study = optuna.load_study(study_name="s", storage=storage)
    assert [trial.value for trial in study.trials] == [None, 0.5, 0.6]
