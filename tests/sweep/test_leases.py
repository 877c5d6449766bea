import os
import queue
import subprocess
import sys
import threading

import optuna
import psutil
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from mnist_sweep.sweep.leases import (
    JOB,
    SWEEP,
    SignsOfLife,
    Watch,
    is_alive,
    this_process,
)

GRACE = 120.0
ME = this_process()
GONE = {**ME, "started": ME["started"] - 3600}  # an earlier process that had this one's pid
REMOTE = {**ME, "host": "elsewhere.invalid"}


def test_this_process_is_alive():
    assert is_alive(this_process()) is True


def test_a_record_of_a_process_is_the_callers_to_change():
    this_process()["pid"] = 0
    assert is_alive(this_process()) is True


def test_a_start_that_was_rounded_is_the_same_start():
    assert is_alive({**ME, "started": ME["started"] + 0.02}) is True


def test_a_later_process_of_the_same_pid_is_another():
    assert is_alive(GONE) is False


def test_another_machines_process_is_not_known():
    assert is_alive(REMOTE) is None
    assert is_alive({**GONE, "host": "elsewhere.invalid"}) is None


def test_a_process_that_has_ended_is_dead_before_and_after_it_is_waited_for():
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    record = {**ME, "pid": child.pid, "started": psutil.Process(child.pid).create_time()}
    assert is_alive(record) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # has ended, and is not reaped
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert is_alive(record) is False
    child.communicate()
    assert not psutil.pid_exists(child.pid)
    assert is_alive(record) is False


def running(number=0, values=0, **holders):
    """A trial that runs, held by the given processes."""
    roles = {"sweep": SWEEP, "job": JOB}
    trial = create_trial(
        state=TrialState.RUNNING,
        system_attrs={roles[name]: record for name, record in holders.items()},
        intermediate_values=dict.fromkeys(range(values), 0.5),
    )
    trial.number = number
    return trial


@pytest.fixture
def clock():
    """A clock that tests set: seconds in its `now`."""

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.mark.parametrize(
    ("holders", "alive"),
    [
        ({}, False),
        ({"sweep": ME}, True),
        ({"job": ME}, True),
        ({"sweep": GONE}, False),
        ({"sweep": GONE, "job": GONE}, False),
        ({"sweep": GONE, "job": ME}, True),
        ({"sweep": ME, "job": GONE}, True),
        ({"sweep": REMOTE}, None),
        ({"sweep": REMOTE, "job": REMOTE}, None),
        ({"sweep": REMOTE, "job": ME}, True),
        ({"sweep": GONE, "job": REMOTE}, None),
        ({"sweep": REMOTE, "job": GONE}, None),
    ],
)
def test_a_trial_is_alive_as_long_as_one_of_its_processes(holders, alive, clock):
    assert Watch(GRACE, clock).alive(running(**holders)) is alive


def test_a_remote_trial_that_stands_still_past_the_grace_period_is_dead(clock):
    watch = Watch(GRACE, clock)
    trial = running(sweep={**REMOTE, "count": 7})
    assert watch.alive(trial) is None
    clock.now += GRACE - 1
    assert watch.alive(trial) is None
    clock.now += 1
    assert watch.alive(trial) is False


def test_the_grace_period_begins_when_a_trial_is_first_looked_at(clock):
    clock.now += 10 * GRACE
    assert Watch(GRACE, clock).alive(running(sweep=REMOTE)) is None


@pytest.mark.parametrize(
    "moved",
    [
        {"sweep": {**REMOTE, "count": 8}},
        {"sweep": {**REMOTE, "count": 7}, "values": 1},
        {"sweep": {**REMOTE, "count": 7}, "job": {**REMOTE, "pid": 1}},
    ],
    ids=["another count", "another epoch", "a job of its own"],
)
def test_a_remote_trial_that_moves_is_alive_until_it_has_stood_still_again(moved, clock):
    watch = Watch(GRACE, clock)
    assert watch.alive(running(sweep={**REMOTE, "count": 7})) is None
    clock.now += GRACE - 1
    assert watch.alive(running(**moved)) is True
    clock.now += GRACE - 1
    assert watch.alive(running(**moved)) is True
    clock.now += 1
    assert watch.alive(running(**moved)) is False


def test_a_trial_that_was_given_up_is_alive_once_it_moves(clock):
    watch = Watch(GRACE, clock)
    watch.alive(running(sweep={**REMOTE, "count": 7}))
    clock.now += 2 * GRACE
    assert watch.alive(running(sweep={**REMOTE, "count": 7})) is False
    assert watch.alive(running(sweep={**REMOTE, "count": 8})) is True


def test_trials_are_watched_each_for_itself(clock):
    watch = Watch(GRACE, clock)
    assert watch.alive(running(0, sweep=REMOTE)) is None
    clock.now += GRACE
    assert watch.alive(running(1, sweep=REMOTE)) is None
    assert watch.alive(running(0, sweep=REMOTE)) is False


class Recorder(InMemoryStorage):
    """A storage that says in a queue what signs of life came in."""

    def __init__(self):
        super().__init__()
        self.signs = queue.Queue()

    def set_trial_system_attr(self, trial_id, key, value):
        super().set_trial_system_attr(trial_id, key, value)
        self.signs.put((trial_id, key, value))

    def next_sign(self):
        return self.signs.get(timeout=10)

    def until(self, trial_id, count):
        """The signs until one of a trial with at least this count, which is the last of them."""
        signs = [self.next_sign()]
        while signs[-1][0] != trial_id or signs[-1][2]["count"] < count:
            signs.append(self.next_sign())
        return signs


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def trial_ids(recorder):
    """Two trials that run."""
    study = optuna.create_study(storage=recorder)
    return [study.ask()._trial_id for _ in range(2)]


@pytest.fixture
def beats(recorder):
    """Signs of life that come a hundred times a second."""
    signs = SignsOfLife(recorder, SWEEP, 0.01)
    yield signs
    signs.close()


def test_signs_of_life_name_the_process_at_once_and_count_up(recorder, trial_ids, beats):
    beats.hold(trial_ids[0])
    trial_id, role, record = recorder.next_sign()
    assert (trial_id, role) == (trial_ids[0], SWEEP)
    assert {key: record[key] for key in ME} == ME
    counts = [record["count"]] + [recorder.next_sign()[2]["count"] for _ in range(3)]
    assert counts == sorted(set(counts))
    stored = recorder.get_trial(trial_ids[0]).system_attrs[SWEEP]
    assert stored["count"] >= counts[-1]
    assert is_alive(stored) is True


def test_a_job_signs_beside_its_sweep(recorder, trial_ids):
    for role in (SWEEP, JOB):
        signs = SignsOfLife(recorder, role, 3600)
        signs.hold(trial_ids[0])
        signs.close()
    assert {SWEEP, JOB} <= recorder.get_trial(trial_ids[0]).system_attrs.keys()


def test_signs_of_life_survive_a_trial_that_ends(recorder, trial_ids, beats):
    ended, other = trial_ids
    beats.hold(ended)
    beats.hold(other)
    recorder.set_trial_state_values(ended, TrialState.COMPLETE, [0.5])
    with pytest.raises(UpdateFinishedTrialError):
        recorder.set_trial_system_attr(ended, SWEEP, {})
    count = beats.count
    assert recorder.until(other, count + 3)[-1][2]["count"] >= count + 3


def test_a_released_trial_gets_no_more_signs(recorder, trial_ids, beats):
    released, other = trial_ids
    beats.hold(released)
    beats.hold(other)
    recorder.until(released, 1)
    beats.release(released)
    under_way = beats.count + 1  # a round that had begun may still sign it
    later = recorder.until(other, under_way + 3)
    late = [r["count"] for i, _, r in later if i == released and r["count"] > under_way]
    assert late == []


def test_a_trial_may_be_released_that_was_never_held(beats):
    beats.release(17)
    assert beats.trial_ids == set()


def test_closed_signs_of_life_have_no_thread_left(recorder, trial_ids):
    signs = SignsOfLife(recorder, JOB, 0.01)
    signs.hold(trial_ids[0])
    recorder.until(trial_ids[0], 1)
    signs.close()
    assert not signs.thread.is_alive()
    assert signs.thread not in threading.enumerate()
    count = recorder.get_trial(trial_ids[0]).system_attrs[JOB]["count"]
    assert count == signs.count


def test_closing_does_not_wait_for_the_interval(recorder):
    signs = SignsOfLife(recorder, JOB, 3600)
    signs.close()
    assert signs.count == 0
    assert not signs.thread.is_alive()


@pytest.mark.parametrize(
    ("roles", "alive"), [((SWEEP,), False), ((JOB,), True), ((SWEEP, JOB), True)]
)
def test_a_watch_can_be_kept_on_one_role_alone(roles, alive, clock):
    trial = running(sweep=GONE, job=ME)
    assert Watch(GRACE, clock, roles).alive(trial) is alive


def test_a_jobs_epochs_are_no_sign_of_its_sweeps_life(clock):
    watch = Watch(GRACE, clock, (SWEEP,))
    watch.alive(running(sweep=REMOTE, job=ME))
    clock.now += GRACE
    assert watch.alive(running(sweep=REMOTE, job=ME, values=3)) is False


def test_a_process_takes_its_name_off_a_trial_unless_that_is_another_processs_by_now():
    study = optuna.create_study()
    signs = SignsOfLife(study._storage, JOB, GRACE)
    trials = [study.ask()._trial_id for _ in range(2)]
    for trial_id in trials:
        signs.hold(trial_id)
    study._storage.set_trial_system_attr(trials[1], JOB, REMOTE)
    for trial_id in trials:
        signs.withdraw(trial_id)
    signs.close()
    assert [study._storage.get_trial(t).system_attrs[JOB] for t in trials] == [None, REMOTE]
