"""Whose work a running trial is: processes by name, their signs of life, and who has gone."""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

# A trial's system attributes: the process that launched it, and the one that runs it. Both must
# have gone before anybody else may take the trial over: a Slurm job outlives its sweep.
SWEEP, JOB = "mnist_sweep:sweep", "mnist_sweep:job"
HOLDERS = (SWEEP, JOB)

# A start is known by the wall clock, which may be set a little between two readings.
SAME_START = 3.0


@cache
def _identity(pid: int) -> dict[str, Any]:
    started = psutil.Process(pid).create_time()
    return {"host": _host(), "pid": pid, "started": started}


@cache
def _host() -> str:
    """Name what a pid belongs to: a boot of a machine, and a container's processes on it."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def this_process() -> dict[str, Any]:
    """Return this process's host, pid and start in seconds since the epoch.

    The start tells it from a later process that was given the same pid.
    """
    return dict(_identity(os.getpid()))


def is_this_process(record: dict[str, Any]) -> bool:
    """Whether a recorded process is the caller's, whatever else is in the record."""
    return this_process().items() <= record.items()


def is_alive(record: dict[str, Any]) -> bool | None:
    """Whether a recorded process lives; None where it is another machine's."""
    if record["host"] != _host():
        return None
    try:
        process = psutil.Process(record["pid"])
        same = bool(abs(process.create_time() - record["started"]) < SAME_START)
        return same and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class SignsOfLife:
    """Counts up in the record of a process on its trials, until it is closed.

    `role` is SWEEP or JOB. Other machines see the count stand still when the process has gone; no
    two clocks are compared.
    """

    def __init__(self, storage: BaseStorage, role: str, interval: float) -> None:
        self.storage, self.role, self.interval = storage, role, interval
        self.trial_ids: set[int] = set()
        self.count = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True, name="signs of life")
        self.thread.start()

    def hold(self, trial_id: int) -> None:
        """Put this process's name on a trial."""
        self._sign(trial_id)
        self.trial_ids.add(trial_id)

    def holds(self, trial_id: int) -> bool:
        """Whether a trial runs under this process's name, and not another's by now."""
        trial = self.storage.get_trial(trial_id)
        return trial.state == TrialState.RUNNING and self._signed(trial)

    def has_ended(self, trial_id: int) -> bool:
        """Whether a trial came to its end under this process's name."""
        trial = self.storage.get_trial(trial_id)
        return trial.state.is_finished() and self._signed(trial)

    def _signed(self, trial: FrozenTrial) -> bool:
        return is_this_process(trial.system_attrs.get(self.role) or {})

    def release(self, trial_id: int) -> None:
        """Give no more signs for a trial, which has come to an end or is another's now."""
        self.trial_ids.discard(trial_id)

    def withdraw(self, trial_id: int) -> None:
        """Take this process's name off a trial, whose job has returned."""
        self.release(trial_id)
        if self.holds(trial_id):
            self.storage.set_trial_system_attr(trial_id, self.role, None)

    def close(self) -> None:
        """End the thread."""
        self.ended.set()
        self.thread.join()

    def _beat(self) -> None:
        while not self.ended.wait(self.interval):
            self.count += 1
            for trial_id in list(self.trial_ids):
                with suppress(Exception):  # the trial may have just ended
                    if self.holds(trial_id):
                        self._sign(trial_id)

    def _sign(self, trial_id: int) -> None:
        record = {**this_process(), "count": self.count}
        self.storage.set_trial_system_attr(trial_id, self.role, record)


class Watch:
    """Tells whether running trials still have a process, of those that `roles` name.

    A process of this machine is looked up; another machine's counts as gone when nothing about the
    trial has changed for `grace_period` seconds of this watch, and as alive once something has.
    """

    def __init__(
        self,
        grace_period: float,
        clock: Callable[[], float] = time.monotonic,
        roles: Sequence[str] = HOLDERS,
    ) -> None:
        self.grace_period, self.clock, self.roles = grace_period, clock, roles
        self.seen: dict[int, tuple[Any, float, bool]] = {}

    def alive(self, trial: FrozenTrial) -> bool | None:
        """Whether anybody works on a running trial; None while that is not known yet."""
        records = [record for role in self.roles if (record := trial.system_attrs.get(role))]
        lives = [is_alive(record) for record in records]
        if True in lives:
            return True
        if None not in lives:
            return False
        reports = len(trial.intermediate_values) if JOB in self.roles else 0
        now, state = self.clock(), (records, reports)
        before, since, moved = self.seen.get(trial.number, (state, now, False))
        if before != state:
            since, moved = now, True
        self.seen[trial.number] = (state, since, moved)
        if now - since >= self.grace_period:
            return False
        return True if moved else None
