"""What happens to a sweep (events), and what it is to do (actions): plain data, no more."""

from dataclasses import dataclass
from typing import TypeAlias

from mnist_sweep.sweep.trials.retries import Deaths
from mnist_sweep.sweep.trials.status import TrialStatus

# Events.


@dataclass(frozen=True)
class SlotFree:
    """A free slot for a job, `seconds` after the sweep began.

    `since_best`: launched trials that ended after the best one did. `best`: the value of that one,
    None while there is none. `retryable`: trials to retry whose last job is certainly gone.
    """

    seconds: float
    since_best: int = 0
    best: float | None = None
    retryable: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Proposed:
    """A trial from the queue, which passed the gate."""

    number: int


@dataclass(frozen=True)
class Rejected:
    """A proposal that the gate rejected; `launched`: whether the study has launched any trial."""

    launched: bool


@dataclass(frozen=True)
class Refused:
    """A proposal that is not a valid run."""

    number: int
    reason: str


@dataclass(frozen=True)
class NoneLeft:
    """A queue with no trial to give out; `exhausted`: since the space has no other.

    `launched` and `rejected`: whether the study has trials of that kind.
    """

    exhausted: bool = False
    launched: bool = True
    rejected: bool = False


@dataclass(frozen=True)
class Returned:
    """A job that returned, or was ended for running too long.

    `counts`: whether a failure is one of those that `max_failure_rate` limits.
    """

    number: int
    status: TrialStatus
    reason: str | None = None
    values: tuple[float, ...] = ()
    counts: bool = True


@dataclass(frozen=True)
class Died:
    """A job whose process died. `began`: whether any job of this sweep has ever begun."""

    number: int
    reason: str
    deaths: Deaths
    began: bool = True


@dataclass(frozen=True)
class MachineFailed:
    """A job that was refused what every job needs, such as room on a disk; nobody's fault."""

    number: int
    reason: str


@dataclass(frozen=True)
class Abandoned:
    """A running trial, of this sweep or another, whose processes have died."""

    number: int
    deaths: Deaths


@dataclass(frozen=True)
class Told:
    """A trial whose end the study was told."""

    trial: Returned


@dataclass(frozen=True)
class LeaseLost:
    """A trial of this sweep that another sweep has taken over."""

    number: int


@dataclass(frozen=True)
class Idle:
    """The moment when no job runs; `may_come_back`: this sweep may yet get trials of others."""

    may_come_back: bool = False


Event: TypeAlias = (
    SlotFree
    | Proposed
    | Rejected
    | Refused
    | NoneLeft
    | Returned
    | Died
    | MachineFailed
    | Abandoned
    | Told
    | LeaseLost
    | Idle
)


# Actions.


@dataclass(frozen=True)
class Ask:
    """A request to the queue for a trial."""


@dataclass(frozen=True)
class FindFeasible:
    """A search for a configuration that passes the gate, after so many rejections."""

    rejections: int


@dataclass(frozen=True)
class Launch:
    """The start of a trial's job."""

    number: int


@dataclass(frozen=True)
class Tell:
    """The end of a trial of this sweep, to be told to the study."""

    trial: Returned


@dataclass(frozen=True)
class Retry:
    """A trial that this sweep is to launch again."""

    number: int
    reason: str
    deaths: Deaths


@dataclass(frozen=True)
class Requeue:
    """An abandoned trial to be queued in the study, for whichever sweep asks next."""

    number: int
    deaths: Deaths


@dataclass(frozen=True)
class GiveUp:
    """An abandoned trial to be ended as failed."""

    number: int
    reason: str


@dataclass(frozen=True)
class Forget:
    """A trial to be left to the sweep that has it."""

    number: int


@dataclass(frozen=True)
class Stop:
    """The end of launching, with the reason to be printed: a limit, or nothing left to launch."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """A wait for trials that other processes may still run."""


@dataclass(frozen=True)
class End:
    """The end of the sweep: nothing runs, and nothing is left to run."""


@dataclass(frozen=True)
class Abort:
    """The end of the sweep with an error."""

    message: str


@dataclass(frozen=True)
class NothingFits:
    """The end of the sweep, since nothing passes the gate.

    `rejections`: in a row; None where every configuration of the space was rejected.
    """

    rejections: int | None


Action: TypeAlias = (
    Ask
    | FindFeasible
    | Launch
    | Tell
    | Retry
    | Requeue
    | GiveUp
    | Forget
    | Stop
    | Wait
    | End
    | Abort
    | NothingFits
)
