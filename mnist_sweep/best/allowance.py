"""How some hours are divided between searching and confirming."""

from dataclasses import dataclass

from mnist_sweep.best.question import QuestionError
from mnist_sweep.text import duration

CONFIRMING = 0.4  # of the time, at most: the rest finds what there is to confirm
CLOSING = 30.0  # seconds that starting, the report and the bundle take, on 2 cores
FEWEST = 3  # trials, without which a search says nothing


@dataclass(frozen=True)
class Costs:
    """What the plan says: `trial`, the seconds that one takes; `workers`, how many run at a time."""

    trial: float
    workers: int


@dataclass(frozen=True)
class Allowance:
    """Seconds for each part."""

    search: float
    confirm: float

    @property
    def total(self) -> float:
        """The seconds of both."""
        return self.search + self.confirm


def allow(hours: float, costs: Costs, arms: int, seeds: int) -> Allowance:
    """Divide so many hours; `arms`: configurations to confirm, each with up to `seeds` seeds.

    Confirming gets what all of its runs take, and no more than CONFIRMING of the time. Raises
    QuestionError where the rest is too short for FEWEST trials, with how many hours would do.
    """
    usable = 3600 * hours - CLOSING
    whole = arms * seeds * costs.trial / costs.workers
    confirm = min(whole, CONFIRMING * usable)
    search = usable - confirm
    least = FEWEST * costs.trial / costs.workers
    if search < least:
        enough = (least / (1 - CONFIRMING) + CLOSING) / 3600
        raise QuestionError(
            f"hours={hours:g} is too short: a trial takes about {duration(costs.trial)} here, "
            f"{costs.workers} at a time; give at least hours={rounded_up(enough)}, or fewer epochs"
        )
    return Allowance(search, confirm)


def rounded_up(hours: float) -> str:
    """Return hours as people give them, not less: 0.05, 0.4, 12."""
    step = 0.01 if hours < 0.1 else 0.1 if hours < 10 else 1
    return f"{step * -(-hours // step):.10g}"
