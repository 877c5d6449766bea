"""How long a sweep has left, by how long its trials took once they had begun."""

import math
import time
from collections.abc import Callable
from pathlib import Path


class Pace:
    """The pace of the trials of one call, `slots` of which run at a time, with runs in `directory`.

    A job begins when it writes its config, which it does once its process has started and imported
    what it needs: that happens once a process, and not once a trial. No trial is launched once
    `timeout` seconds have passed. What a resumed trial takes, which is a part, says nothing of
    whole ones.
    """

    def __init__(
        self,
        directory: Path,
        slots: int,
        clock: Callable[[], float] = time.time,
        timeout: float | None = None,
    ) -> None:
        self.directory, self.slots, self.clock = directory, max(slots, 1), clock
        self.over_at = math.inf if timeout is None else clock() + timeout
        self.started: dict[int, float] = {}
        self.took: list[float] = []
        self.resumed: set[int] = set()

    def start(self, number: int) -> None:
        """Note that a trial was launched, or resumed, which has written its config before."""
        self.started[number] = self.clock()
        if self._config(number).exists():
            self.resumed.add(number)

    def end(self, number: int) -> None:
        """Note that a trial ended."""
        if number in self.started:
            if number not in self.resumed:
                self.took.append(self._elapsed(number))
            del self.started[number]

    def has_begun(self, number: int) -> bool:
        """Whether a trial that was started is at work, and its process not still starting."""
        return self._began(number) is not None

    def left(self, trials: int) -> float | None:
        """Return the seconds until so many trials more have ended; None while that is unknown."""
        if not self.took:
            return None
        usual = sum(self.took) / len(self.took)
        running = [max(usual - self._elapsed(number), 0.0) for number in self.started]
        waiting = max(trials - len(running), 0)
        together = (sum(running) + waiting * usual) / self.slots
        left = max([together, *running, *([usual] if waiting else [])])
        # What runs when the time is over is finished: half a trial, on average.
        launching = max(self.over_at - self.clock(), 0.0)
        return min(left, max([launching + usual / 2 if launching else 0.0, *running]))

    def _elapsed(self, number: int) -> float:
        began = self._began(number)
        return max(self.clock() - (self.started[number] if began is None else began), 0.0)

    def _began(self, number: int) -> float | None:
        """Return when a trial's job wrote its config; None where that was before it was started."""
        try:
            written = self._config(number).stat().st_mtime
        except OSError:
            return None
        return written if written >= self.started.get(number, 0.0) else None

    def _config(self, number: int) -> Path:
        return self.directory / str(number) / ".hydra" / "config.yaml"
