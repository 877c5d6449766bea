"""What a program does before it prints anything: a line with a running clock, in a terminal."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

DELAY = 0.5  # seconds: what takes less is not worth a line
TICK = 1.0  # seconds between two looks at the clock


@contextmanager
def ticking(draw: Callable[[], object], delay: float = TICK) -> Iterator[None]:
    """Call a function after a delay and then every second, whatever the program does meanwhile."""
    closed = threading.Event()

    def tick() -> None:
        pause = delay
        while not closed.wait(pause):
            draw()
            pause = TICK

    ticker = threading.Thread(target=tick, daemon=True, name="clock")
    ticker.start()
    try:
        yield
    finally:
        closed.set()
        ticker.join()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a line such as "writing the report 00:03" until something is printed, or to the end.

    Nothing is shown where standard error is no terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    line = _Line(what, sys.stderr)
    before = sys.stdout, sys.stderr
    # What has taken one of them in the meantime, as a log handler does, keeps it.
    sys.stdout, sys.stderr = (_Watched(stream, line.clear) for stream in before)
    try:
        with ticking(line.draw, DELAY):
            yield
    finally:
        line.clear()
        sys.stdout, sys.stderr = before


class _Line:
    """A line that is drawn over itself until it is cleared, for good."""

    def __init__(self, what: str, stream: TextIO) -> None:
        self.what, self.stream, self.started = what, stream, time.monotonic()
        self.lock = threading.Lock()
        self.drawn = ""
        self.cleared = False

    def draw(self) -> None:
        """Draw the line with what its clock says now."""
        with self.lock:
            if not self.cleared:
                minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
                self.drawn = f"{self.what} {minutes:02d}:{seconds:02d}"
                self._write(f"\r{self.drawn}")

    def clear(self) -> None:
        """Take the line away; later draws do nothing."""
        with self.lock:
            self.cleared = True
            if self.drawn:
                self._write(f"\r{' ' * len(self.drawn)}\r")
                self.drawn = ""

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class _Watched:
    """A stream that calls a function before it is written to."""

    def __init__(self, stream: TextIO, before: Callable[[], None]) -> None:
        self._stream, self._before = stream, before

    def write(self, text: str) -> int:
        """Write a text."""
        if text:
            self._before()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
