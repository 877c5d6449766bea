"""The view of a sweep in a terminal: a bar of trials, and a line a worker below it."""

import threading
from collections.abc import Callable, Sequence

from tqdm import tqdm


class LiveView:
    """Lines that stay at the bottom of the terminal; messages are printed above them."""

    def __init__(self, total: int, done: int, workers: int) -> None:
        self.bar = tqdm(
            total=total,
            initial=done,
            unit="trial",
            position=0,
            leave=False,
            dynamic_ncols=True,
            bar_format="{desc}: {n}/{total} trials |{bar:20}| {elapsed}{postfix}",
            desc="sweep",
        )
        self.lines = [
            tqdm(total=0, position=1 + n, leave=False, dynamic_ncols=True, bar_format="  {desc}")
            for n in range(workers)
        ]
        for number, line in enumerate(self.lines):
            line.set_description_str(f"worker {number}: starting")
        # The clock runs while the sweep is busy, say with its first proposals.
        self.closed = threading.Event()
        self.ticker = threading.Thread(target=self._tick, daemon=True, name="clock")
        self.ticker.start()

    def _tick(self) -> None:
        while not self.closed.wait(1.0):
            self.bar.refresh()

    def update(self, done: int, standing: str, running: Sequence[str]) -> None:
        """Draw the view anew."""
        self.bar.n = done
        self.bar.set_postfix_str(standing)
        for number, line in enumerate(self.lines):
            text = running[number] if number < len(running) else "idle"
            line.set_description_str(f"worker {number}: {text}")

    def above(self, say: Callable[[], object]) -> None:
        """Say something above the view."""
        with tqdm.external_write_mode():
            say()

    def close(self) -> None:
        """Take the view away."""
        self.closed.set()
        self.ticker.join()
        for line in [*self.lines, self.bar]:
            line.close()
