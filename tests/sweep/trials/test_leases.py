import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time

import optuna
import psutil
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from mnist_sweep.sweep.trials import leases
from mnist_sweep.sweep.trials.leases import (
    JOB,
    SWEEP,
    Heartbeat,
    Lease,
    LivenessMonitor,
    beat_of,
    is_alive,
    is_this_process,
    this_process,
)
from mnist_sweep.sweep.trials.records import TrialRecords

GRACE = 120.0
ME = this_process()
GONE = {**ME, "started": ME["started"] - 3600}  # an earlier process that had this one's pid
REMOTE = {**ME, "host": "elsewhere.invalid"}


def test_this_process_is_alive():
    assert is_alive(this_process()) is True


def test_a_process_knows_its_own_record_whatever_else_is_in_it():
    assert is_this_process({**ME, "count": 7, "token": "t"})
    assert not is_this_process(GONE)
    assert not is_this_process({})


def test_a_record_of_a_process_is_the_callers_to_change():
    this_process()["pid"] = 0
    assert is_alive(this_process()) is True


def test_a_start_that_was_rounded_is_the_same_start():
    assert is_alive({**ME, "started": ME["started"] + 0.02}) is True


def test_a_later_process_of_the_same_pid_is_another():
    assert is_alive(GONE) is False


POD = ["unshare", "--pid", "--fork", "--uts", "--mount-proc"]
SAYS = (
    "import json\nfrom mnist_sweep.sweep.trials.leases import this_process\n"
    "print(json.dumps(this_process()), flush=True)\ninput()"
)


def test_two_containers_with_the_same_name_and_pid_are_two_processes():
    if (
        not shutil.which("unshare")
        or subprocess.run([*POD, "true"], capture_output=True).returncode
    ):
        pytest.skip("no namespaces of its own may be made here")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    pods = [subprocess.Popen([*POD, sys.executable, "-c", SAYS], **pipes) for _ in range(2)]
    one, other = (json.loads(pod.stdout.readline()) for pod in pods)
    assert one["pid"] == other["pid"] == 1
    assert one["host"].split()[0] == other["host"].split()[0] == ME["host"].split()[0]
    assert one["host"] != other["host"]
    assert is_alive(one) is None, "it lives, which cannot be seen from here"
    for pod in pods:
        pod.communicate(b"\n")


@pytest.mark.skipif(sys.platform != "linux", reason="others have no containers")
@pytest.mark.parametrize("hidden", ["BOOT", "PROCESSES"])
def test_where_the_kernel_does_not_say_which_container_it_is_a_process_is_nobody_elses(
    monkeypatch, tmp_path, hidden
):
    monkeypatch.setattr(leases, hidden, tmp_path / "nothing")
    try:
        found = []
        for _ in range(2):
            leases._host.cache_clear()
            found.append(leases._host())
    finally:
        monkeypatch.undo()
        leases._host.cache_clear()
    assert found[0] != found[1]
    assert found[0].split()[0] == found[1].split()[0]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_process_lives_though_the_clock_was_set_since_it_was_recorded(monkeypatch, hours):
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    booted, started = psutil.boot_time(), psutil.Process(child.pid).create_time()
    record = {**ME, "pid": child.pid, "started": started, "booted": booted}
    # As Linux answers then: /proc/stat has another btime, from which psutil computes both.
    monkeypatch.setattr(psutil, "boot_time", lambda: booted + 3600 * hours)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: started + 3600 * hours)
    assert is_alive(record) is True
    assert is_alive({**record, "started": started - 60}) is False
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: started)  # as on macOS
    assert is_alive(record) is True
    child.communicate(b"\n")


def test_a_record_of_an_earlier_version_is_read_by_the_wall_clock():
    earlier = {name: value for name, value in ME.items() if name != "booted"}
    assert is_alive(earlier) is True
    assert is_alive({**earlier, "started": ME["started"] - 3600}) is False


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
    assert LivenessMonitor(GRACE, clock).alive(running(**holders)) is alive


def test_a_remote_trial_that_stands_still_past_the_grace_period_is_dead(clock):
    monitor = LivenessMonitor(GRACE, clock)
    trial = running(sweep={**REMOTE, "count": 7})
    assert monitor.alive(trial) is None
    clock.now += GRACE - 1
    assert monitor.alive(trial) is None
    clock.now += 1
    assert monitor.alive(trial) is False


def test_an_owner_with_a_longer_grace_period_is_judged_by_its_own(clock):
    monitor = LivenessMonitor(GRACE, clock)
    owner = {**REMOTE, "every": GRACE}  # four of these are its period
    assert monitor.alive(running(sweep=owner)) is None
    clock.now += 4 * GRACE - 1
    assert monitor.alive(running(sweep=owner)) is None
    clock.now += 1
    assert monitor.alive(running(sweep=owner)) is False


def test_a_lease_says_how_often_it_is_renewed(records):
    heart = Heartbeat(3600)
    heart.acquire(Lease(records, 0, JOB))
    heart.close()
    assert record_of(records, 0, JOB)["every"] == 900


def test_the_grace_period_begins_when_a_trial_is_first_looked_at(clock):
    clock.now += 10 * GRACE
    assert LivenessMonitor(GRACE, clock).alive(running(sweep=REMOTE)) is None


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
    monitor = LivenessMonitor(GRACE, clock)
    assert monitor.alive(running(sweep={**REMOTE, "count": 7})) is None
    clock.now += GRACE - 1
    assert monitor.alive(running(**moved)) is True
    clock.now += GRACE - 1
    assert monitor.alive(running(**moved)) is True
    clock.now += 1
    assert monitor.alive(running(**moved)) is False


def test_a_trial_that_was_given_up_is_alive_once_it_moves(clock):
    monitor = LivenessMonitor(GRACE, clock)
    monitor.alive(running(sweep={**REMOTE, "count": 7}))
    clock.now += 2 * GRACE
    assert monitor.alive(running(sweep={**REMOTE, "count": 7})) is False
    assert monitor.alive(running(sweep={**REMOTE, "count": 8})) is True


def test_trials_are_watched_each_for_itself(clock):
    monitor = LivenessMonitor(GRACE, clock)
    assert monitor.alive(running(0, sweep=REMOTE)) is None
    clock.now += GRACE
    assert monitor.alive(running(1, sweep=REMOTE)) is None
    assert monitor.alive(running(0, sweep=REMOTE)) is False


class Recorder(InMemoryStorage):
    """A storage that says in a queue which records of processes came in."""

    def __init__(self):
        super().__init__()
        self.written = queue.Queue()

    def set_trial_system_attr(self, trial_id, key, value):
        super().set_trial_system_attr(trial_id, key, value)
        self.written.put((trial_id, key, value))

    def next(self):
        """The next record of a process, with the trial's id and the role."""
        return self.written.get(timeout=10)

    def until(self, trial_id, count):
        """The records until one of a trial with at least this count, which is the last of them."""
        records = [self.next()]
        while records[-1][0] != trial_id or records[-1][2].get("count", 0) < count:
            records.append(self.next())
        return records


@pytest.fixture
def storage():
    return Recorder()


@pytest.fixture
def records(storage):
    """The records of a study with two trials that run, 0 and 1."""
    study = optuna.create_study(storage=storage)
    for _ in range(2):
        study.ask()
    return TrialRecords(study, storage)


@pytest.fixture
def heartbeat():
    """A heart that beats a hundred times a second."""
    heart = Heartbeat(0.04)
    yield heart
    heart.close()


def acquired(records, number, role, under=None):
    """A lease that was acquired."""
    lease = Lease(records, number, role, under)
    lease.acquire()
    return lease


def record_of(records, number, role):
    return records.read(number).system_attrs[role]


@pytest.mark.parametrize("role", [SWEEP, JOB])
def test_a_lease_that_is_acquired_is_held_until_another_is(records, role):
    first = Lease(records, 0, role)
    assert not first.held()
    first.acquire()
    assert first.held()
    second = acquired(records, 0, role)  # by the same process: a token of its own tells them apart
    assert second.held()
    assert not first.held()
    assert first.token != second.token


def test_a_lease_names_its_process(records):
    acquired(records, 0, SWEEP)
    record = record_of(records, 0, SWEEP)
    assert {key: record[key] for key in ME} == ME
    assert is_alive(record) is True


def test_the_leases_of_two_trials_and_of_two_roles_are_apart(records):
    leases = [acquired(records, number, role) for number in (0, 1) for role in (SWEEP, JOB)]
    assert all(lease.held() for lease in leases)


def test_a_lease_ends_with_its_trial_and_says_that_it_was_this_one(records):
    before, lease = acquired(records, 0, SWEEP), acquired(records, 0, SWEEP)
    assert not lease.ended()
    records.study.tell(0, 0.5)
    assert not lease.held()
    assert lease.ended()
    assert not before.ended()


def test_a_lease_on_a_trial_that_waits_is_not_held(records):
    lease = acquired(records, 0, SWEEP)
    records.wait(0)
    assert not lease.held()
    assert not lease.ended()


def test_a_renewed_lease_counts_up_and_one_that_is_lost_writes_nothing(records):
    lease = acquired(records, 0, SWEEP)
    assert lease.renew()
    assert lease.renew()
    assert record_of(records, 0, beat_of(SWEEP)) == {"token": lease.token, "count": 2}
    other = acquired(records, 0, SWEEP)
    assert not lease.renew()
    assert record_of(records, 0, SWEEP)["token"] == other.token


def test_a_released_lease_leaves_no_record_unless_that_is_anothers_by_now(records):
    leases = [acquired(records, number, JOB) for number in (0, 1)]
    records.mark(1, JOB, REMOTE)
    for lease in leases:
        lease.release()
    assert [record_of(records, number, JOB) for number in (0, 1)] == [None, REMOTE]


def test_a_jobs_lease_ends_with_that_of_the_sweep_that_gave_its_trial_out(records):
    sweep = acquired(records, 0, SWEEP)
    job = acquired(records, 0, JOB, under=sweep.token)
    assert job.held()
    another = acquired(records, 0, SWEEP)
    assert not job.held()
    assert not job.renew()
    records.study.tell(0, 0.5)
    assert another.ended()
    assert not job.ended()


def test_a_job_under_a_sweep_that_has_no_lease_holds_none(records):
    assert not acquired(records, 0, JOB, under="").held()
    assert not acquired(records, 0, JOB, under="another's").held()


def test_of_two_jobs_under_one_sweep_the_later_has_the_trial(records):
    sweep = acquired(records, 0, SWEEP)
    first = acquired(records, 0, JOB, under=sweep.token)
    second = acquired(records, 0, JOB, under=sweep.token)
    assert not first.held()
    assert second.held()


def test_a_late_heartbeat_of_an_old_job_does_not_take_the_new_jobs_lease_away(records):
    """The old job had looked before the new sweep came, slept, and writes when it wakes up."""
    old_sweep = acquired(records, 0, SWEEP)
    old = acquired(records, 0, JOB, under=old_sweep.token)
    assert all(lease.renew() for lease in (old_sweep, old))
    late = {role: record_of(records, 0, beat_of(role)) for role in (SWEEP, JOB)}
    new_sweep = acquired(records, 0, SWEEP)
    new = acquired(records, 0, JOB, under=new_sweep.token)
    leases = (old_sweep, old, new_sweep, new)
    for role, beat in late.items():
        records.mark(0, beat_of(role), {**beat, "count": beat["count"] + 1})
    assert [lease.held() for lease in leases] == [False, False, True, True]
    assert all(lease.renew() for lease in (new_sweep, new))
    records.study.tell(0, 0.5)
    assert [lease.ended() for lease in leases] == [False, False, True, True]


def test_a_heartbeat_names_the_process_at_once_and_counts_up(storage, records, heartbeat):
    heartbeat.acquire(Lease(records, 0, SWEEP))
    trial_id, role, record = storage.next()
    assert (trial_id, role) == (records.id_of(0), SWEEP)
    assert {key: record[key] for key in ME} == ME
    beats = [storage.next() for _ in range(3)]
    assert {key for _, key, _ in beats} == {beat_of(SWEEP)}
    assert [beat["count"] for _, _, beat in beats] == [1, 2, 3]
    assert is_alive(record_of(records, 0, SWEEP)) is True
    assert heartbeat.lost == set()


def test_a_heartbeat_goes_on_when_a_trial_ends_and_says_that_its_lease_is_gone(
    storage, records, heartbeat
):
    heartbeat.acquire(Lease(records, 0, SWEEP))
    heartbeat.acquire(Lease(records, 1, SWEEP))
    records.study.tell(0, 0.5)
    with pytest.raises(UpdateFinishedTrialError):
        records.mark(0, SWEEP, {})
    storage.until(records.id_of(1), heartbeat.leases[1].count + 3)
    assert heartbeat.lost == {0}


def test_a_heartbeat_finds_a_lease_that_was_lost_until_it_is_acquired_again(
    storage, records, heartbeat
):
    heartbeat.acquire(Lease(records, 0, SWEEP))
    other = acquired(records, 0, SWEEP)
    while not heartbeat.lost:
        time.sleep(0.001)
    assert heartbeat.lost == {0}
    assert record_of(records, 0, SWEEP)["token"] == other.token
    heartbeat.acquire(Lease(records, 0, SWEEP))
    assert heartbeat.lost == set()


def test_a_heartbeat_outlives_a_storage_that_does_not_answer(
    storage, records, heartbeat, monkeypatch
):
    failures = iter([OSError("gone"), StorageInternalError("gone")])
    read = storage.get_trial

    def unsteady(trial_id):
        for error in failures:
            raise error
        return read(trial_id)

    heartbeat.acquire(Lease(records, 0, SWEEP))
    monkeypatch.setattr(storage, "get_trial", unsteady)
    storage.until(records.id_of(0), 2)
    assert next(failures, None) is None
    assert heartbeat.lost == set()


def test_a_forgotten_trial_is_renewed_no_more(storage, records, heartbeat):
    forgotten, other = Lease(records, 0, SWEEP), Lease(records, 1, SWEEP)
    heartbeat.acquire(forgotten)
    heartbeat.acquire(other)
    storage.until(records.id_of(0), 1)
    heartbeat.forget(0)
    under_way = forgotten.count + 1  # a round that had begun may still renew it
    storage.until(records.id_of(1), other.count + 3)
    assert forgotten.count <= under_way


def test_a_trial_may_be_forgotten_that_was_never_known(heartbeat):
    heartbeat.forget(17)
    assert heartbeat.leases == {}


def test_a_closed_heartbeat_has_no_thread_left(storage, records):
    heartbeat, lease = Heartbeat(0.04), Lease(records, 0, JOB)
    heartbeat.acquire(lease)
    storage.until(records.id_of(0), 1)
    heartbeat.close()
    assert not heartbeat.thread.is_alive()
    assert heartbeat.thread not in threading.enumerate()
    assert record_of(records, 0, beat_of(JOB))["count"] == lease.count


def test_closing_does_not_wait_for_the_interval(records):
    heartbeat, lease = Heartbeat(3600), Lease(records, 0, JOB)
    heartbeat.acquire(lease)
    heartbeat.close()
    assert lease.count == 0
    assert not heartbeat.thread.is_alive()


@pytest.mark.parametrize(
    ("roles", "alive"), [((SWEEP,), False), ((JOB,), True), ((SWEEP, JOB), True)]
)
def test_a_monitor_may_look_at_one_role_alone(roles, alive, clock):
    trial = running(sweep=GONE, job=ME)
    assert LivenessMonitor(GRACE, clock, roles).alive(trial) is alive


def test_a_jobs_epochs_are_no_sign_of_its_sweeps_life(clock):
    monitor = LivenessMonitor(GRACE, clock, (SWEEP,))
    monitor.alive(running(sweep=REMOTE, job=ME))
    clock.now += GRACE
    assert monitor.alive(running(sweep=REMOTE, job=ME, values=3)) is False
