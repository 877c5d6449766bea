"""The view of a sweep in a terminal: a bar of trials, and lines of what runs below it."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm

from mnist_sweep.cli.waiting import ticking
from mnist_sweep.text import counted

KEPT = 6  # lines of a terminal for the bar, and for what scrolls above it


class LiveView:
    """Lines that stay at the bottom of the terminal; messages are printed above them.

    There is one for each of `workers`, which has a name; without workers, one for each thing that
    runs, as many as the terminal has room for.
    """

    def __init__(
        self, total: int | None, done: int, workers: int | None = None, seconds: float = 0.0
    ) -> None:
        """`seconds`: for how long it has been going on already."""
        self.workers = workers
        self.bar = tqdm(
            total=total,
            initial=done,
            position=0,
            leave=False,
            dynamic_ncols=True,
            bar_format="{n}/{total} {unit} |{bar:10}| {elapsed}{postfix}",
            unit="trial" if total == 1 else "trials",
        )
        self.bar.start_t -= seconds
        self.lines: list[tqdm[Any]] = []
        if workers is not None:  # until the first update, which is after the first proposals
            self.bar.set_postfix_str(f"starting {counted(workers, 'worker')}")
            for number in range(workers):
                self._line().set_description_str(f"worker {number}: starting")
        self.clock = ExitStack()
        self.clock.enter_context(ticking(self.bar.refresh))

    def update(self, done: int, standing: str, running: Sequence[str]) -> None:
        """Draw the view anew."""
        self.bar.n = done
        self.bar.set_postfix_str(standing)
        if self.workers is None:
            running = self._fitting(running)
            while len(self.lines) < len(running):
                self._line()
        for number, line in enumerate(self.lines):
            text = running[number] if number < len(running) else ""
            named = "" if self.workers is None else f"worker {number}: "
            line.set_description_str(named + (text or ("idle" if named else "")))

    def _line(self) -> "tqdm[Any]":
        position = 1 + len(self.lines)
        self.lines.append(
            tqdm(total=0, position=position, leave=False, dynamic_ncols=True, bar_format="  {desc}")
        )
        return self.lines[-1]

    def _fitting(self, running: Sequence[str]) -> Sequence[str]:
        """Return the lines that a terminal has room for, and how many there are beside them."""
        room = max(shutil.get_terminal_size().lines - KEPT, 2)
        if len(running) <= room:
            return running
        return [*running[: room - 1], f"and {len(running) - room + 1} more"]

    def above(self, say: Callable[[], object]) -> None:
        """Say something above the view."""
        with tqdm.external_write_mode():
            say()

    def close(self) -> None:
        """Take the view away."""
        self.clock.close()
        for line in [*self.lines, self.bar]:
            line.close()
