"""What a confirmation says while it lasts: a line a run, how far all are, how long is left."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.confirm.time_left import Pace, done_of
from mnist_sweep.sweep.trials.outcomes import validation_images
from mnist_sweep.text import counted, duration, percent

SILENCE = 60.0  # seconds without a line, in a log file, after which it says how things stand


class Progress:
    """The printed progress of rounds of runs: lines, and in a terminal a bar of epochs below them.

    `may_drop`: whether fewer may be trained in the end, so that the time left is an upper bound.
    """

    def __init__(
        self, rounds: Sequence[Sequence[SeedRun]], slots: int, workers: str, may_drop: bool
    ) -> None:
        self.runs, self.pace = [run for each in rounds for run in each], Pace(rounds, slots)
        self.may_drop = may_drop
        self.told = {run.directory for run in self.runs if run.done}
        self.spoke = time.monotonic()
        seeds = sorted({run.seed for run in self.runs})
        configurations = len({run.candidate.key for run in self.runs})
        most = "at most " if may_drop else ""
        self.bar: tqdm[None] | None = None
        self.say(
            f"{counted(configurations, 'configuration')} with {most}{counted(len(seeds), 'seed')} "
            f"({seeds[0]} to {seeds[-1]}): {counted(len(self.runs), 'run')}, "
            f"{len(self.told)} of them done"
        )
        self.say(f"workers: {workers}")
        if sys.stderr.isatty():
            self.bar = tqdm(
                total=self._total(),
                initial=self._epochs(),
                leave=False,
                dynamic_ncols=True,
                bar_format="{n}/{total} epochs |{bar:20}| {elapsed}{postfix}",
            )
            self.bar.set_postfix_str(self._left())

    def only(self, rounds: Sequence[Sequence[SeedRun]], may_drop: bool) -> None:
        """Leave out the runs that are not in these rounds; say nothing of those any more."""
        self.runs, self.may_drop = [run for each in rounds for run in each], may_drop
        self.pace.only(rounds)
        if self.bar is not None:
            self.bar.total = self._total()

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
            self.say(f"{self._epochs():,} of {self._total():,} epochs done; {self._left()}")

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def say(self, line: str) -> None:
        """Print a line, above the bar where there is one."""
        self.spoke = time.monotonic()
        if self.bar is not None:
            self.bar.write(line)
        else:
            print(line, flush=True)

    def _ended(self, run: SeedRun) -> None:
        result = run.result
        accuracy = result.get("val_acc")
        if accuracy is None:
            came_to = str(result.get("reason"))
        else:
            came_to = f"val acc {percent(accuracy, validation_images(result))}"
        done = sum(each.directory in self.told for each in self.runs)
        self.say(
            f"{run.candidate.title}, seed {run.seed}: {came_to} "
            f"({done}/{len(self.runs)}); {self._left()}"
        )

    def _left(self) -> str:
        left = self.pace.left()
        if left is None:
            return "no epoch done yet"
        return f"{'at most ' if self.may_drop else ''}{duration(left)} left"

    def _epochs(self) -> int:
        """Return the epochs done; a run that has ended counts as whole."""
        return sum(done_of(run) for run in self.runs)

    def _total(self) -> int:
        return sum(run.epochs for run in self.runs)
