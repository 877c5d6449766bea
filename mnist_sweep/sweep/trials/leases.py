"""Leases on running trials: who runs one, whether that process lives, and who may take over."""

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.untrusted_files import is_number

# The roles, each a system attribute of a trial: the sweep that launched it, and the job that runs
# it. Both owners must be gone before another sweep takes the trial over: a Slurm job outlives its
# sweep.
SWEEP, JOB = "mnist_sweep:sweep", "mnist_sweep:job"
ROLES = (SWEEP, JOB)


def beat_of(role: str) -> str:
    """Return the system attribute that a lease's heartbeat counts up in."""
    return f"{role}:heartbeat"


# What a boot of Linux is known by, and what the processes of a container are.
BOOT, PROCESSES = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")

SAME_START = 3.0  # seconds that two readings of one process's start may differ by


@cache
def _identity(pid: int) -> dict[str, Any]:
    booted, started = _start(pid)
    return {"host": _host(), "pid": pid, "started": started, "booted": booted}


def _start(pid: int) -> tuple[float, float]:
    """Return when the machine and one of its processes started, by the present wall clock.

    Linux computes both back from now: where somebody sets the clock they move, and their distance
    stays. The boot is read first, since psutil before 7.1 remembers that reading.
    """
    booted = psutil.boot_time()
    return booted, psutil.Process(pid).create_time()


@cache
def _host() -> str:
    """Name what a pid belongs to: a boot of a machine, and a container's processes on it.

    Containers may have the same host name, and the same pids. On a Linux that hides which they are,
    as some sandboxes do, a process is named as if it had a machine to itself: others then judge it
    by its heartbeat, and none takes another's process for it.
    """
    name = socket.gethostname()
    try:
        boot = BOOT.read_text(encoding="utf-8").strip()
        return f"{name} {boot} {PROCESSES.readlink()}"
    except OSError:
        return f"{name} {uuid.uuid4().hex}" if sys.platform == "linux" else name


def this_process() -> dict[str, Any]:
    """Return this process's host, pid and start in seconds since the epoch.

    The start tells it from a later process that was given the same pid.
    """
    return dict(_identity(os.getpid()))


def is_this_process(record: dict[str, Any]) -> bool:
    """Whether a recorded process is the caller's, whatever else is in the record."""
    return this_process().items() <= record.items()


def is_elsewhere(record: dict[str, Any]) -> bool:
    """Whether a recorded process is another machine's."""
    return bool(record["host"] != _host())


def is_alive(record: dict[str, Any]) -> bool | None:
    """Whether a recorded process lives; None where it is another machine's."""
    if is_elsewhere(record):
        return None
    try:
        booted, started = _start(record["pid"])
        moved = booted - record.get("booted", booted)  # the clock was set by so much since
        same = min(abs(started - record["started"] - by) for by in (0.0, moved)) < SAME_START
        return same and bool(psutil.Process(record["pid"]).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def host_of(trial: FrozenTrial) -> str | None:
    """Return the name of the machine that runs a trial; None where none is recorded."""
    for role in reversed(ROLES):
        record = trial.system_attrs.get(role)
        host = record.get("host") if isinstance(record, dict) else None
        if isinstance(host, str) and host:
            return host.split(" ")[0]
    return None


def token_of(trial: FrozenTrial) -> str:
    """Return the token of the sweep that a trial was given out to; empty where it has none."""
    token: str = (trial.system_attrs.get(SWEEP) or {}).get("token", "")
    return token


class Lease:
    """A process's right to a trial, in one role: to report to it, and to end it.

    Held as long as the trial runs and its record names this lease's token: each acquisition has
    one of its own. A job's lease is `under` the sweep's that gave the trial out, by its token, and
    ends with that one.
    """

    def __init__(
        self, records: TrialRecords, number: int, role: str, under: str | None = None
    ) -> None:
        self.records, self.number, self.role, self.under = records, number, role, under
        # It begins with a letter, so that Hydra's grammar takes it for no number.
        self.token, self.count = f"t{uuid.uuid4().hex[:15]}", 0

    def acquire(self, every: float | None = None) -> None:
        """Write this process and the token onto the trial, whoever had it before.

        `every`: after how many seconds it is renewed.
        """
        record = {**this_process(), "token": self.token}
        if every is not None:
            record["every"] = every
        self.records.mark(self.number, self.role, record)

    def renew(self) -> bool:
        """Count up where the lease is held, so that other machines see that its owner lives.

        Returns whether it is held. The count has a key of its own: written late, by a process that
        was stopped after it had looked, it takes the lease from nobody.
        """
        held = self.held()
        if held:
            self.count += 1
            beat = {"token": self.token, "count": self.count}
            self.records.mark(self.number, beat_of(self.role), beat)
        return held

    def held(self) -> bool:
        """Whether the trial still runs under this lease, and not under a later one."""
        trial = self.records.read(self.number)
        return trial.state == TrialState.RUNNING and self._named(trial)

    def ended(self) -> bool:
        """Whether the trial has ended under this lease."""
        trial = self.records.read(self.number)
        return trial.state.is_finished() and self._named(trial)

    def release(self) -> None:
        """Take the record off the trial where the lease is held."""
        if self.held():
            self.records.mark(self.number, self.role, None)

    def _named(self, trial: FrozenTrial) -> bool:
        record = trial.system_attrs.get(self.role) or {}
        if self.under is None:
            return bool(record.get("token") == self.token)
        given_out = bool(self.under) and token_of(trial) == self.under
        return given_out and bool(record.get("token") == self.token)


BEATS = 4  # renewals of a lease in a grace period: one that is late means nothing


class Heartbeat:
    """A thread that renews leases several times in a `grace_period`, in seconds, until closed."""

    def __init__(self, grace_period: float) -> None:
        self.interval = grace_period / BEATS
        self.leases: dict[int, Lease] = {}
        self.lost: set[int] = set()  # numbers of the trials whose lease was found to be gone
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        self.thread.start()

    def acquire(self, lease: Lease) -> None:
        """Acquire a lease, and renew it from now on."""
        lease.acquire(self.interval)
        self.lost.discard(lease.number)
        self.leases[lease.number] = lease

    def forget(self, number: int) -> None:
        """Stop renewing a trial's lease: the trial has ended, or another process has it."""
        self.leases.pop(number, None)

    def close(self) -> None:
        """End the thread."""
        self.ended.set()
        self.thread.join()

    def _beat(self) -> None:
        while not self.ended.wait(self.interval):
            for number, lease in list(self.leases.items()):
                with suppress(Exception):  # the storage may answer next time
                    if not lease.renew():
                        self.lost.add(number)


class LivenessMonitor:
    """A monitor of whether the owners of running trials live, in the named `roles`.

    A process of this machine is looked up. Another machine's is dead when nothing about the trial
    has changed for `grace_period` seconds of this monitor's own clock (no two clocks are compared),
    or for longer where its owner has a longer one, and alive once something has.
    """

    def __init__(
        self,
        grace_period: float,
        clock: Callable[[], float] = time.monotonic,
        roles: Sequence[str] = ROLES,
    ) -> None:
        self.grace_period, self.clock, self.roles = grace_period, clock, roles
        self.seen: dict[int, tuple[Any, float, bool]] = {}

    def alive(self, trial: FrozenTrial) -> bool | None:
        """Whether an owner of a running trial lives; None while that is not known yet."""
        attributes = trial.system_attrs
        records = [record for role in self.roles if (record := attributes.get(role))]
        lives = [is_alive(record) for record in records]
        if True in lives:
            return True
        if None not in lives:
            return False
        reports = len(trial.intermediate_values) if JOB in self.roles else 0
        beats = [attributes.get(beat_of(role)) for role in self.roles]
        now, state = self.clock(), (records, beats, reports)
        before, since, moved = self.seen.get(trial.number, (state, now, False))
        if before != state:
            since, moved = now, True
        self.seen[trial.number] = (state, since, moved)
        if now - since >= max([self.grace_period, *map(_period, records)]):
            return False
        return True if moved else None


def _period(record: dict[str, Any]) -> float:
    """Return the grace period of a lease's owner, in seconds; 0 where it is not recorded."""
    every: Any = record.get("every")
    return float(BEATS * every) if is_number(every) else 0.0
