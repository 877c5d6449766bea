"""A worker's process group: the worker, and the processes that its jobs start, ended as a whole.

A worker leads a session of its own, so that a signal of the terminal reaches the sweep alone.
"""

import os
import signal
import time
from contextlib import suppress

import psutil

MERCY = 1.0  # seconds that a process which a job left has between SIGTERM and SIGKILL
POLL = 0.01  # seconds


def is_leader() -> bool:
    """Whether this process leads its group, and does not just belong to another's."""
    return os.getpgrp() == os.getpid()


def terminate_rest() -> None:
    """Send SIGTERM to what else is in the group that this process leads."""
    if is_leader():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


def end(leader: int) -> None:
    """End what is left of a group whose leader has ended: by SIGTERM, then by SIGKILL."""
    deadline = time.monotonic() + MERCY
    left = _send(leader, signal.SIGTERM)
    while left and time.monotonic() < deadline:
        time.sleep(POLL)
        left = _send(leader, 0)
    if left:
        _send(leader, signal.SIGKILL)


def kill(leader: int) -> None:
    """Kill a group at once, and those descendants of its leader that have left the group."""
    descendants: list[psutil.Process] = []
    with suppress(psutil.Error):
        descendants = psutil.Process(leader).children(recursive=True)
    for process in descendants:
        with suppress(psutil.Error, ProcessLookupError):  # it has ended meanwhile
            if os.getpgid(process.pid) != leader:
                process.kill()
    _send(leader, signal.SIGKILL)


def _send(leader: int, number: int) -> bool:
    """Send a signal to a group; whether anybody was there."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        return False
    return True
