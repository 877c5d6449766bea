"""The view of a sweep in a terminal: a bar of trials, and a line a worker below it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from tqdm import tqdm

from mnist_sweep.cli.waiting import ticking
from mnist_sweep.text import counted


class LiveView:
    """Lines that stay at the bottom of the terminal; messages are printed above them."""

    def __init__(self, total: int, done: int, workers: int) -> None:
        self.bar = tqdm(
            total=total,
            initial=done,
            position=0,
            leave=False,
            dynamic_ncols=True,
            bar_format="{n}/{total} {unit} |{bar:10}| {elapsed}{postfix}",
            unit="trial" if total == 1 else "trials",
        )
        # Until the first update, which is after the first proposals.
        self.bar.set_postfix_str(f"starting {counted(workers, 'worker')}")
        self.lines = [
            tqdm(total=0, position=1 + n, leave=False, dynamic_ncols=True, bar_format="  {desc}")
            for n in range(workers)
        ]
        for number, line in enumerate(self.lines):
            line.set_description_str(f"worker {number}: starting")
        self.clock = ExitStack()
        self.clock.enter_context(ticking(self.bar.refresh))

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
        self.clock.close()
        for line in [*self.lines, self.bar]:
            line.close()
