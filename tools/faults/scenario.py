"""What a scenario is, what came of it, and the lines that say so."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.text import counted


class Skipped(Exception):
    """A scenario that cannot be played here, with the reason."""


@dataclass
class Outcome:
    """Faults that were injected, and what was lost by them, a line each.

    `said` is what the program said of a fault, where the scenario asks for that.
    """

    injected: int = 0
    lost: list[str] = field(default_factory=list)
    said: str | None = None

    def inject(self, losses: Sequence[str]) -> None:
        """Count one fault, with what was lost by it."""
        self.injected += 1
        self.lost += losses

    @property
    def survived(self) -> int:
        """The faults by which nothing was lost."""
        return max(0, self.injected - len(self.lost))


@dataclass(frozen=True)
class Lab:
    """What a scenario has: an empty folder, its own random numbers, and a line to report on.

    `kills` is how many kills the scenarios that kill at random share.
    """

    folder: Path
    random: random.Random
    say: Callable[[str], None]
    kills: int


@dataclass(frozen=True)
class Scenario:
    """A kind of fault by its name; `play` injects it and looks what was lost. Raises Skipped."""

    name: str
    play: Callable[[Lab], Outcome]


def line_of(name: str, outcome: Outcome, seconds: float) -> str:
    """Return a scenario's summary line."""
    said = f"; said: {outcome.said}" if outcome.said else ""
    return f"{name}: {_counts(outcome)}, {seconds:.0f} s{said}"


def summary(outcomes: Sequence[Outcome], skipped: int) -> str:
    """Return the line of all scenarios together."""
    lost = [line for outcome in outcomes for line in outcome.lost]
    total = Outcome(sum(outcome.injected for outcome in outcomes), lost)
    left_out = f"; {counted(skipped, 'scenario')} skipped" if skipped else ""
    return f"faults: {_counts(total)}{left_out}"


def _counts(outcome: Outcome) -> str:
    return f"{outcome.injected} injected, {outcome.survived} survived, {len(outcome.lost)} lost"
