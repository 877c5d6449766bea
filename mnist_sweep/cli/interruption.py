"""SIGTERM, by which clusters and containers end a process, taken as Ctrl-C is."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

CTRL_C, ENDED = 130, 143  # exit codes that shells and clusters expect: 128 and the signal's number


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises where it is `interruptible`."""


_asked = threading.Event()  # whether SIGTERM has come since the outermost block began


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _asked.is_set():
        _asked.set()
        raise Terminated


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Terminated in the block on SIGTERM, once.

    A cluster may send it several times, to the process and to its group: what the first one began
    is not interrupted by the next. In a thread other than the main one, and within such a block,
    nothing is changed.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is _interrupt:
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _asked.clear()


def raise_swallowed() -> None:
    """Raise Terminated again where SIGTERM has come, and something has caught what it raised.

    Libraries do, some of which catch everything while they are imported. To be called wherever the
    block comes round.
    """
    if _asked.is_set():
        raise Terminated


def exit_interrupted(stop: KeyboardInterrupt) -> NoReturn:
    """End the process with the exit code of what interrupted it."""
    sys.exit(ENDED if isinstance(stop, Terminated) else CTRL_C)
