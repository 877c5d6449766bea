"""What a command is at while nothing else is printed, with a running clock, in a terminal."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

DELAY = 0.5  # seconds: what takes less is not worth a line


@contextmanager
def ticking(bar: "tqdm[None]", seconds: float = 1.0) -> Iterator[None]:
    """Draw a bar anew every second, so that its clock runs while the program is busy."""
    closed = threading.Event()

    def tick() -> None:
        while not closed.wait(seconds):
            bar.refresh()

    ticker = threading.Thread(target=tick, daemon=True, name="clock")
    ticker.start()
    try:
        yield
    finally:
        closed.set()
        ticker.join()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a line such as "drawing the figures 00:03" until the end of what takes long.

    Nothing is shown where standard error is no terminal. Whatever is printed meanwhile must go
    through `tqdm.external_write_mode`.
    """
    if not sys.stderr.isatty():
        yield
        return
    bar: tqdm[None] = tqdm(
        total=0, desc=what, bar_format="{desc} {elapsed}", leave=False, dynamic_ncols=True,
        delay=DELAY,
    )  # fmt: skip
    try:
        with ticking(bar, DELAY):
            yield
    finally:
        bar.close()
