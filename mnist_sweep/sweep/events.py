"""What happens to a sweep (events), and what it is to do (actions): plain data, no more."""

from dataclasses import dataclass
from typing import TypeAlias

from mnist_sweep.sweep.trials.retries import Deaths
from mnist_sweep.sweep.trials.status import TrialStatus

# Events.


@dataclass(frozen=True)
class SlotFree:
    """Another job could be started, `seconds` after the sweep began.

    `since_best`: launched trials that ended after the best one did. `retryable`: trials to retry
    whose last job is certainly gone.
    """

    seconds: float
    since_best: int = 0
    retryable: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Proposed:
    """The queue gave out a trial that passed the gate."""

    number: int


@dataclass(frozen=True)
class Rejected:
    """The gate rejected a proposal; `launched`: whether the study has launched any trial."""

    launched: bool


@dataclass(frozen=True)
class Refused:
    """A proposal is no valid run."""

    number: int
    reason: str


@dataclass(frozen=True)
class NoneLeft:
    """The queue has no trial to give out; `exhausted`: since the space has no other.

    `launched` and `rejected`: whether the study has trials of that kind.
    """

    exhausted: bool = False
    launched: bool = True
    rejected: bool = False


@dataclass(frozen=True)
class Returned:
    """A job returned, or was ended for running too long.

    `counts`: whether a failure is one of those that `max_failure_rate` limits.
    """

    number: int
    status: TrialStatus
    reason: str | None = None
    values: tuple[float, ...] = ()
    counts: bool = True


@dataclass(frozen=True)
class Died:
    """A job's process died. `began`: whether any job of this sweep has ever begun."""

    number: int
    reason: str
    deaths: Deaths
    began: bool = True


@dataclass(frozen=True)
class Abandoned:
    """The processes of a running trial, in this sweep or another, have died."""

    number: int
    deaths: Deaths


@dataclass(frozen=True)
class Told:
    """The study was told how a trial ended."""

    trial: Returned


@dataclass(frozen=True)
class LeaseGone:
    """A trial of this sweep is another's by now."""

    number: int


@dataclass(frozen=True)
class Idle:
    """No job runs; `may_come_back`: trials of others may yet be this sweep's to run."""

    may_come_back: bool = False


Event: TypeAlias = (
    SlotFree
    | Proposed
    | Rejected
    | Refused
    | NoneLeft
    | Returned
    | Died
    | Abandoned
    | Told
    | LeaseGone
    | Idle
)


# Actions.


@dataclass(frozen=True)
class Ask:
    """Ask the queue for a trial."""


@dataclass(frozen=True)
class Probe:
    """Look for a configuration that passes the gate; after so many rejections."""

    rejections: int


@dataclass(frozen=True)
class Launch:
    """Start a trial's job."""

    number: int


@dataclass(frozen=True)
class Tell:
    """Tell the study how a trial of this sweep ended."""

    trial: Returned


@dataclass(frozen=True)
class Retry:
    """Keep a trial to be launched again by this sweep."""

    number: int
    reason: str
    deaths: Deaths


@dataclass(frozen=True)
class Requeue:
    """Have an abandoned trial wait in the study, for whichever sweep asks next."""

    number: int
    deaths: Deaths


@dataclass(frozen=True)
class GiveUp:
    """End an abandoned trial as failed."""

    number: int
    reason: str


@dataclass(frozen=True)
class Forget:
    """Leave a trial to the sweep that has it."""

    number: int


@dataclass(frozen=True)
class Stop:
    """Launch no further trial; say why."""

    reason: str


@dataclass(frozen=True)
class Say:
    """Say that there is nothing left to launch, and why."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Wait for trials that other processes may still run."""


@dataclass(frozen=True)
class End:
    """Come to the end: nothing runs, and nothing is left to run."""


@dataclass(frozen=True)
class Abort:
    """End the sweep with an error."""

    message: str


@dataclass(frozen=True)
class NothingFits:
    """End the sweep, since the gate lets nothing pass; None where the space has no others."""

    rejections: int | None


Action: TypeAlias = (
    Ask
    | Probe
    | Launch
    | Tell
    | Retry
    | Requeue
    | GiveUp
    | Forget
    | Stop
    | Say
    | Wait
    | End
    | Abort
    | NothingFits
)
