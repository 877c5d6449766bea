"""What a confirmation says while it lasts: a line a run, how far all are, how long is left."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.sweep.outcomes import epochs_done
from mnist_sweep.text import counted, duration

SILENCE = 60.0  # seconds without a line, in a log file, after which it says how things stand


class Progress:
    """Speaks of some runs: lines in a log file, above a bar of epochs in a terminal."""

    def __init__(self, runs: Sequence[SeedRun], workers: str) -> None:
        self.runs = runs
        self.told = {run.directory for run in runs if run.done}
        self.total = sum(run.epochs for run in runs)
        self.before = self._epochs()
        self.done_before = set(self.told)
        self.started, self.spoke = time.time(), time.monotonic()
        self.began: float | None = None
        seeds = list(dict.fromkeys(run.seed for run in runs))
        configurations = len(runs) // len(seeds)
        self.bar: tqdm[None] | None = None
        self._say(
            f"{counted(configurations, 'configuration')} with {len(seeds)} seeds ({seeds[0]} to "
            f"{seeds[-1]}): {len(runs)} runs, {len(self.told)} of them done"
        )
        self._say(f"workers: {workers}")
        if sys.stderr.isatty():
            self.bar = tqdm(total=self.total, initial=self.before, unit="epoch", leave=False)

    def watch(self, ended: Sequence[SeedRun]) -> None:
        """Say which runs have ended since the last time, and how far the others are."""
        self._began()
        for run in ended:
            if run.directory not in self.told and run.done:
                self.told.add(run.directory)
                self._ended(run)
        if self.bar is not None:
            self.bar.update(self._epochs() - self.bar.n)
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
        done = self._epochs()
        if done <= self.before:
            return "no epoch done yet"
        pace = (time.time() - self._began()) / (done - self.before)
        return f"{duration(pace * (self.total - done))} left"

    def _began(self) -> float:
        """Return when the first run began: its process was started before, once for many runs."""
        if self.began is None:
            waiting = [run for run in self.runs if run.directory not in self.done_before]
            written = [run.written_at for run in waiting]
            self.began = min((at for at in written if at >= self.started), default=None)
        return self.started if self.began is None else self.began

    def _epochs(self) -> int:
        """Return the epochs done; a run that has ended counts as whole."""
        return sum(
            run.epochs if run.directory in self.told else epochs_done(run.directory)
            for run in self.runs
        )

    def _say(self, line: str) -> None:
        self.spoke = time.monotonic()
        if self.bar is not None:
            self.bar.write(line)
        else:
            print(line, flush=True)
