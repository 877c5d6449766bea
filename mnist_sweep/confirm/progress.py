"""What a confirmation says while it lasts: a line a run, how far all are, how long is left."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.confirm.time_left import Pace, done_of
from mnist_sweep.text import counted, duration

SILENCE = 60.0  # seconds without a line, in a log file, after which it says how things stand


class Progress:
    """The printed progress of runs: lines, and in a terminal a bar of epochs below them."""

    def __init__(
        self, runs: Sequence[SeedRun], jobs: Sequence[Sequence[SeedRun]], slots: int, workers: str
    ) -> None:
        self.runs, self.pace = runs, Pace(jobs, slots)
        self.told = {run.directory for run in runs if run.done}
        self.total = sum(run.epochs for run in runs)
        self.spoke = time.monotonic()
        seeds = list(dict.fromkeys(run.seed for run in runs))
        configurations = len(runs) // len(seeds)
        self.bar: tqdm[None] | None = None
        self._say(
            f"{counted(configurations, 'configuration')} with {len(seeds)} seeds ({seeds[0]} to "
            f"{seeds[-1]}): {len(runs)} runs, {len(self.told)} of them done"
        )
        self._say(f"workers: {workers}")
        if sys.stderr.isatty():
            self.bar = tqdm(
                total=self.total,
                initial=self._epochs(),
                leave=False,
                dynamic_ncols=True,
                bar_format="{n}/{total} epochs |{bar:20}| {elapsed}{postfix}",
            )
            self.bar.set_postfix_str(self._left())

    def watch(self, ended: Sequence[SeedRun]) -> None:
        """Say which runs have ended since the last time, and how far the others are."""
        self.pace.watch()
        for run in ended:
            if run.directory not in self.told and run.done:
                self.told.add(run.directory)
                self._ended(run)
        if self.bar is not None:
            self.bar.n = self._epochs()
            self.bar.set_postfix_str(self._left())
        elif time.monotonic() - self.spoke > SILENCE:
            self._say(f"{self._epochs():,} of {self.total:,} epochs done; {self._left()}")

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _ended(self, run: SeedRun) -> None:
        result = run.result
        accuracy = result.get("val_acc")
        came_to = str(result.get("reason")) if accuracy is None else f"val {accuracy:.2%}"
        self._say(
            f"{run.candidate.title}, seed {run.seed}: {came_to} "
            f"({len(self.told)}/{len(self.runs)}); {self._left()}"
        )

    def _left(self) -> str:
        left = self.pace.left()
        return "no epoch done yet" if left is None else f"{duration(left)} left"

    def _epochs(self) -> int:
        """Return the epochs done; a run that has ended counts as whole."""
        return sum(done_of(run) for run in self.runs)

    def _say(self, line: str) -> None:
        self.spoke = time.monotonic()
        if self.bar is not None:
            self.bar.write(line)
        else:
            print(line, flush=True)
