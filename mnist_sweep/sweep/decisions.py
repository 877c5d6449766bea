"""What a sweep does next: from an event to actions, without storage, processes or clock.

The engine sees to it that events arrive and that actions happen. Everything that a sweep decides
about its trials is in `Sweep.step`; `tests/sweep/test_decisions.py` has its table.
"""

from dataclasses import dataclass, field

from mnist_sweep.sweep.events import (
    Abandoned,
    Abort,
    Action,
    Ask,
    Died,
    End,
    Event,
    FindFeasible,
    Forget,
    GiveUp,
    Idle,
    Launch,
    LeaseLost,
    MachineFailed,
    NoneLeft,
    NothingFits,
    Proposed,
    Refused,
    Rejected,
    Requeue,
    Retry,
    Returned,
    SlotFree,
    Stop,
    Tell,
    Told,
    Wait,
)
from mnist_sweep.sweep.trials.retries import Deaths, RetryPolicy
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted

# After so many rejections in a row, in a study that has launched nothing, configurations are drawn
# at random, to see whether the search space has any that passes the gate.
HOPELESS = 5
RANDOM_DRAWS = 300  # how many are drawn then

# Refusals in a row, the first of a call: a mistake in the search, not bad luck.
MAX_REFUSALS = 5


@dataclass(frozen=True)
class Rules:
    """The settings that a sweep decides by; `total` is of launched trials."""

    total: int
    max_failure_rate: float = 0.0
    max_rejections: int = 100
    max_retries: int = 2
    timeout: float | None = None
    plateau: int | None = None
    target: float | None = None
    minimize: bool = False
    grid: bool = False  # it has its own points, and no others are tried


@dataclass(frozen=True)
class Satisfied:
    """The settings by which a study has found enough, in this call and in any later one."""

    plateau: int | None
    target: float | None
    minimize: bool

    def reason(self, since_best: int, best: float | None) -> str | None:
        """Return why a study has found enough; None where it has not.

        `since_best`: the trials that ended after the best one; `best`: its value, None without one.
        """
        if self.plateau is not None and since_best >= self.plateau:
            return f"no better trial among the last {self.plateau} (plateau)"
        if self.target is None or best is None:
            return None
        reached = best <= self.target if self.minimize else best >= self.target
        return f"the best value, {best:.5g}, reaches target={self.target:g}" if reached else None


@dataclass
class Sweep:
    """The state that decisions depend on, of one call."""

    rules: Rules
    failed: int = 0
    refused: int = 0
    rejected_in_a_row: int = 0
    refused_in_a_row: int = 0
    launched: bool = False
    stopped: bool = False
    retries: list[int] = field(default_factory=list)

    def step(self, event: Event) -> list[Action]:
        """Take an event; return what is to be done, in order."""
        match event:
            case SlotFree():
                return self._fill(event)
            case Proposed(number):
                self.launched = True
                self.rejected_in_a_row = self.refused_in_a_row = 0
                return [Launch(number)]
            case Rejected(launched):
                return self._rejected(launched)
            case Refused():
                return self._refused(event)
            case NoneLeft():
                return self._none_left(event)
            case Returned():
                return [Tell(event)]
            case Died():
                return self._died(event)
            case MachineFailed(number, reason):
                resumes = "when that is mended, the same command resumes the study"
                return [Abort(f"trial {number} cannot continue: {reason}; {resumes}")]
            case Abandoned(number, deaths):
                return self._abandoned(number, deaths)
            case Told(trial):
                return self._told(trial)
            case LeaseLost(number):
                self.retries = [other for other in self.retries if other != number]
                return [Forget(number)]
            case Idle(may_come_back):
                waits = not self.stopped and (may_come_back or bool(self.retries))
                return [Wait()] if waits else [End()]

    def _fill(self, free: SlotFree) -> list[Action]:
        if self.stopped:
            return []
        reason = self._why_over(free)
        if reason is not None:
            self.stopped = True
            return [Stop(reason)]
        for number in self.retries:
            if number in free.retryable:
                self.retries.remove(number)
                return [Launch(number)]
        return [Ask()]

    def _why_over(self, free: SlotFree) -> str | None:
        rules = self.rules
        if rules.timeout is not None and free.seconds > rules.timeout:
            return f"timeout={rules.timeout:g} seconds have passed"
        satisfied = Satisfied(rules.plateau, rules.target, rules.minimize)
        return satisfied.reason(free.since_best, free.best)

    def _rejected(self, launched: bool) -> list[Action]:
        self.rejected_in_a_row += 1
        if self.rejected_in_a_row >= self.rules.max_rejections:
            return [NothingFits(self.rejected_in_a_row)]
        if self.rejected_in_a_row == HOPELESS and not launched and not self.rules.grid:
            return [FindFeasible(HOPELESS), Ask()]
        return [Ask()]

    def _refused(self, event: Refused) -> list[Action]:
        self.refused_in_a_row += 1
        if self.refused_in_a_row >= MAX_REFUSALS and not self.launched:
            return [
                Abort(
                    f"none of the first {self.refused_in_a_row} proposals is a valid run; the "
                    f"last: {event.reason}"
                )
            ]
        self.refused += 1
        return self._too_many(event.reason) or [Ask()]

    def _none_left(self, event: NoneLeft) -> list[Action]:
        if event.exhausted and event.launched:
            return [Stop("every configuration of the search space has been tried")]
        return [NothingFits(None)] if event.exhausted and event.rejected else []

    def _died(self, event: Died) -> list[Action]:
        if RetryPolicy(self.rules.max_retries).retries(event.deaths):
            self.retries.append(event.number)
            return [Retry(event.number, event.reason, event.deaths)]
        if not event.began:
            # No fault of the trial's: it is resumed once the launcher works.
            return [Abort(f"trial {event.number} cannot be started: {event.reason}")]
        return [Tell(Returned(event.number, TrialStatus.FAILED, event.reason))]

    def _abandoned(self, number: int, deaths: Deaths) -> list[Action]:
        if RetryPolicy(self.rules.max_retries).retries(deaths):
            return [Requeue(number, deaths)]
        return [
            GiveUp(
                number,
                f"its process died {deaths.count} times in a row, more than "
                f"hydra.sweeper.max_retries={self.rules.max_retries} allows",
            )
        ]

    def _told(self, trial: Returned) -> list[Action]:
        if trial.status != TrialStatus.FAILED or not trial.counts:
            return []
        self.failed += 1
        return self._too_many(str(trial.reason))

    def _too_many(self, reason: str) -> list[Action]:
        """Return an end to the sweep where more failed than may; nothing where not."""
        rate, total = self.rules.max_failure_rate, self.rules.total
        if self.failed + self.refused <= rate * total:
            return []
        counts = ((self.failed, "trial", "failed"), (self.refused, "proposal", "refused"))
        found = " and ".join(f"{counted(n, noun)} {word}" for n, noun, word in counts if n)
        return [
            Abort(
                f"{found}, more than hydra.sweeper.max_failure_rate={rate:g} of {total} allows; "
                f"the last one: {reason}"
            )
        ]
