"""The course of a confirmation: rounds of training, who is dropped, when the time is over."""

import time
from collections.abc import Callable, Sequence

from mnist_sweep.confirm.conclude import Terms, arms_of, is_tested, is_usable
from mnist_sweep.confirm.progress import Progress
from mnist_sweep.confirm.race import Dropped, Rival, drops, rounds
from mnist_sweep.confirm.runs import VALIDATION, SeedRun, errors_in, scored
from mnist_sweep.confirm.scores import Scored
from mnist_sweep.confirm.work import Workers
from mnist_sweep.text import counted

CLOSING = 0.05, 60.0  # of the time, and seconds at most, that are kept for test images


class Deadline:
    """When training has to end: some hours from the start, None for never."""

    def __init__(self, hours: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        seconds = None if hours is None else 3600 * hours
        share, most = CLOSING
        self.end = None if seconds is None else clock() + seconds - min(share * seconds, most)
        self.over = False

    def allows(self, seconds: float | None) -> bool:
        """Whether work of so many seconds ends in time; of unknown length, if any time is left."""
        if self.end is None:
            return True
        if self.clock() + (seconds or 0.0) > self.end:
            self.over = True
        return not self.over


class Course:
    """The runs of a race, and what has been decided of them.

    `ranked_by` is what configurations are ordered by; `race`: whether any may be dropped.
    """

    def __init__(
        self, runs: Sequence[SeedRun], seeds: Sequence[int], ranked_by: str, race: bool
    ) -> None:
        self.runs, self.seeds, self.ranked_by, self.race = runs, seeds, ranked_by, race
        self.scores: dict[str, Scored] = {}

    def run(self, workers: Workers, deadline: Deadline) -> dict[str, Dropped]:
        """Train round by round; return which configurations were dropped, by key.

        Ends early where the deadline refuses a run. Raises what `Workers.train` raises.
        """
        dropped = self.drops()
        self._say(dropped, {})
        waiting = [run for run in self.left(dropped) if not run.done]
        if not waiting:
            return dropped
        workers.prepare(waiting)
        progress = Progress(
            self._rounds({}), len(workers.environments), str(workers), self._may_drop(dropped)
        )
        progress.only(self._rounds(dropped), self._may_drop(dropped))
        try:
            while waiting := self._next(dropped):
                workers.train(
                    waiting, progress.watch, lambda run: deadline.allows(progress.pace.of(run))
                )
                if deadline.over:
                    break
                found = self.drops()
                self._say(found, dropped, progress.say)
                dropped = found
                progress.only(self._rounds(dropped), self._may_drop(dropped))
        finally:
            progress.close()
        if deadline.over:
            done = sum(run.done for run in self.left(dropped))
            print(f"the hours are over after {done} of {len(self.left(dropped))} runs")
        return self.drops()

    def drops(self) -> dict[str, Dropped]:
        """Return which configurations are dropped by what has been trained so far, by key."""
        if not self.race:
            return {}
        arms: dict[str, Rival] = {}
        for key, own in self._by_key().items():
            ended = [run for run in own if run.done]
            arms[key] = Rival(
                frozenset(run.seed for run in ended),
                {run.seed: self._scored(run) for run in ended if is_usable(run.result)},
            )
        return drops(arms, self.seeds)

    def left(self, dropped: dict[str, Dropped]) -> list[SeedRun]:
        """Return the runs that are to be trained: those of dropped configurations up to there."""
        return [run for each in self._rounds(dropped) for run in each]

    def _rounds(self, dropped: dict[str, Dropped]) -> list[list[SeedRun]]:
        """Return the runs of each round, seed by seed, without those that are spared."""
        found, begun = [], 0
        for end in self._ends(dropped):
            over = {key for key, drop in dropped.items() if drop.seeds < end}
            found.append(
                [
                    run
                    for seed in self.seeds[begun:end]
                    for run in self.runs
                    if run.seed == seed and run.candidate.key not in over
                ]
            )
            begun = end
        return found

    def _ends(self, dropped: dict[str, Dropped]) -> list[int]:
        """Return after how many seeds each round ends.

        Without a rival nothing is decided: what one configuration has left is one round, so that
        no worker waits for the seeds of the others.
        """
        seeds = len(self.seeds)
        if not self.race:
            return [seeds]
        if len(self._by_key()) - len(dropped) > 1:
            return rounds(seeds)
        decided = max((drop.seeds for drop in dropped.values()), default=0)
        return [*(end for end in rounds(seeds) if end <= decided), seeds]

    def _next(self, dropped: dict[str, Dropped]) -> list[SeedRun]:
        """Return what the first round that is not over has left to train."""
        waiting = ([run for run in each if not run.done] for each in self._rounds(dropped))
        return next((each for each in waiting if each), [])

    def _may_drop(self, dropped: dict[str, Dropped]) -> bool:
        left = len(self._by_key()) - len(dropped)
        *decided, _ = self._rounds(dropped)
        return self.race and left > 1 and any(not run.done for each in decided for run in each)

    def _by_key(self) -> dict[str, list[SeedRun]]:
        found: dict[str, list[SeedRun]] = {}
        for run in self.runs:
            found.setdefault(run.candidate.key, []).append(run)
        return found

    def _scored(self, run: SeedRun) -> Scored:
        name = str(run.directory)
        if name not in self.scores:
            listed = errors_in(run.directory, VALIDATION)
            self.scores[name] = scored(run, listed, self.ranked_by)
        return self.scores[name]

    def _say(
        self,
        dropped: dict[str, Dropped],
        before: dict[str, Dropped],
        say: Callable[[str], None] = print,
    ) -> None:
        titles = {run.candidate.key: run.candidate.title for run in self.runs}
        for key, found in dropped.items():
            if key not in before:
                why = "most of its seeds diverged"
                if found.difference is not None:
                    why = f"{titles[found.leader]} is better on validation images"
                say(f"{titles[key]} is dropped after {found.seeds} seeds: {why}")


def look_at_test(runs: Sequence[SeedRun], terms: Terms, workers: Workers) -> None:
    """List the errors on test images of all that are compared, once nothing is left to choose."""
    waiting = [
        run
        for arm in arms_of(runs)
        if len(arm.usable) >= 2 and is_tested(arm, terms)
        for run in arm.usable
        if not run.errors.exists()
    ]
    if waiting:
        print(f"test images: {counted(len(waiting), 'run')}")
        workers.test(waiting)
