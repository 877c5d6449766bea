"""The studies of a storage, each as a list shows it: how far it is, and what it has found."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.formats import FormatError
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.moved_runs import Places
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.settings import GRACE_PERIOD
from mnist_sweep.sweep.storage import OUTAGE
from mnist_sweep.sweep.study_record import objectives_of
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.leases import LivenessMonitor
from mnist_sweep.sweep.trials.status import (
    FINISHED,
    TrialStatus,
    attributes_of,
    is_feasible,
    status_of,
    was_launched,
)
from mnist_sweep.text import relative, shortened

# A sweep without a running trial is between two of them, as long as the last has just ended: the
# next is drawn and judged in less.
BETWEEN = timedelta(seconds=15)
# A trial without an owner is being judged, before it is given out: at a sweep's start that waits
# for the imports of what judges it.
JUDGED = timedelta(minutes=1)

Monitors = MutableMapping[str, LivenessMonitor]  # by study, kept from one reading to the next


class State(str, Enum):
    """How a study stands."""

    RUNNING = "running"  # a trial has an owner that lives, or may live on another machine
    STOPPED = "stopped"  # it wants more trials than it has, and nothing runs
    FINISHED = "finished"
    UNREADABLE = "unreadable"  # it holds what no sweep writes

    # As those of the text: it is printed, and read from JSON.
    __str__ = str.__str__
    __hash__ = str.__hash__


@dataclass(frozen=True)
class Best:
    """The best trial, of several objectives the one of the front that leads by the first.

    `text`: its first value for people, an accuracy in percent. `parameters`: None where unknown.
    """

    trial: int
    values: tuple[float, ...]
    text: str
    parameters: int | None


@dataclass(frozen=True)
class Entry:
    """A study in a list.

    `total`: how many launched trials its sweep wants, None where none has recorded that. `front`:
    the trials that none beats, of one objective the best alone. `reason`: why it is unreadable.
    Times are of the machines that ran it, as Optuna records them.
    """

    name: str
    state: State
    counts: Mapping[TrialStatus, int] = field(default_factory=dict)
    total: int | None = None
    objectives: Sequence[str] = ()
    directions: Sequence[str] = ()
    best: Best | None = None
    front: Sequence[int] = ()
    started: datetime | None = None
    changed: datetime | None = None
    folder: Path | None = None
    reason: str | None = None

    @property
    def done(self) -> int:
        """The launched trials that have ended."""
        return sum(self.counts.get(status, 0) for status in FINISHED)

    @property
    def progress(self) -> str:
        """How many trials have ended, of how many: 14/24, or 14 where that is not known."""
        return f"{self.done:,}" if self.total is None else f"{self.done:,}/{self.total:,}"


def read_entries(storage: BaseStorage, address: str, owners: Monitors | None = None) -> list[Entry]:
    """Return the studies of a storage: those that run first, then by their last change.

    `owners`: what earlier readings saw of other machines' trials, which is added to. A study that
    cannot be read is an entry that says why; raises what the storage raises for all of them.
    """
    owners = {} if owners is None else owners
    names = optuna.get_all_study_names(storage)
    entries = [_entry(name, storage, address, owners) for name in names]
    entries.sort(key=lambda entry: (entry.changed or datetime.min, entry.name), reverse=True)
    return sorted(entries, key=lambda entry: entry.state != State.RUNNING)


def _entry(name: str, storage: BaseStorage, address: str, owners: Monitors) -> Entry:
    try:
        return entry_of(optuna.load_study(study_name=name, storage=storage), address, owners)
    except OUTAGE:  # of all studies
        raise
    except FormatError as error:
        return Entry(name, State.UNREADABLE, reason=str(error))
    except Exception as error:  # another program's values can be of any kind
        return Entry(name, State.UNREADABLE, reason=shortened(f"{type(error).__name__}: {error}"))


def entry_of(study: optuna.Study, address: str, owners: Monitors) -> Entry:
    """Return a study as a list has it.

    Raises FormatError for a later version's, and whatever other people's values cause.
    """
    study_store.check_format(study)
    trials = study.get_trials(deepcopy=False)
    counts = Counter(status_of(trial) for trial in trials)
    recorded = study.user_attrs.get(study_store.TOTAL)
    total = recorded if isinstance(recorded, int) and not isinstance(recorded, bool) else None
    times = [time for trial in trials for time in _times(trial)]
    places = Places(study, address)
    objectives = objectives_of(study)
    front = _front(study, trials)
    changed = max(times, default=None)
    monitor = owners.setdefault(study.study_name, LivenessMonitor(GRACE_PERIOD))
    return Entry(
        study.study_name,
        _state(trials, counts, total, monitor, changed),
        counts,
        total,
        objectives,
        study_store.direction_names(study),
        _best(front[0], objectives, places) if front else None,
        [trial.number for trial in front],
        min((trial.datetime_start for trial in trials if trial.datetime_start), default=None),
        changed,
        places.folder,
    )


def _times(trial: FrozenTrial) -> Iterable[datetime]:
    return (time for time in (trial.datetime_start, trial.datetime_complete) if time is not None)


def _state(
    trials: Sequence[FrozenTrial],
    counts: Mapping[TrialStatus, int],
    total: int | None,
    owners: LivenessMonitor,
    changed: datetime | None,
) -> State:
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    if any(_may_run(trial, owners) for trial in running):
        return State.RUNNING
    done = sum(counts.get(status, 0) for status in FINISHED)
    if running or any(trial.state == TrialState.WAITING for trial in trials):
        return State.STOPPED
    if total is None:
        return State.FINISHED if done else State.STOPPED
    if done >= total:
        return State.FINISHED
    return State.RUNNING if _is_within(BETWEEN, changed) else State.STOPPED


def _may_run(trial: FrozenTrial, owners: LivenessMonitor) -> bool:
    """Whether a running trial's owner lives, or may, as far as can be told from here."""
    if not was_launched(trial):
        return _is_within(JUDGED, trial.datetime_start)
    return owners.alive(trial) is not False


def _is_within(span: timedelta, time: datetime | None) -> bool:
    return time is not None and timedelta() <= datetime.now() - time < span


def _front(study: optuna.Study, trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the feasible complete trials that none beats, the first by the first objective."""
    falls = study_store.direction_names(study)[0] == "minimize"

    def order(trial: FrozenTrial) -> tuple[float, int]:
        return (trial.values[0] if falls else -trial.values[0], trial.number)

    if len(study.directions) > 1:
        return sorted(filter(is_feasible, study.best_trials), key=order)
    complete = (trial for trial in trials if trial.state == TrialState.COMPLETE)
    best = min(filter(is_feasible, complete), key=order, default=None)
    return [] if best is None else [best]


def _best(trial: FrozenTrial, objectives: Sequence[str], places: Places) -> Best:
    text = ObjectiveText(objectives)
    text.recognize(trial)
    run = places.run(trial.number, trial.user_attrs.get("run_directory"))
    if run is not None and (result := outcomes.recorded(Path(run))):
        text.learn(result)
    size = attributes_of(trial).get("parameters")
    known = isinstance(size, int) and not isinstance(size, bool)
    return Best(
        trial.number, tuple(trial.values), text.one(trial.values[0]), size if known else None
    )


def as_data(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return entries as plain data; what is not known, or no finite number, is None."""
    return [_data(entry) for entry in entries]


def _data(entry: Entry) -> dict[str, Any]:
    best = entry.best
    return {
        "name": entry.name,
        "state": entry.state.value,
        "reason": entry.reason,
        "done": entry.done,
        "total": entry.total,
        "trials": {status.value: entry.counts.get(status, 0) for status in TrialStatus},
        "objectives": list(entry.objectives),
        "directions": list(entry.directions),
        "best": best
        and {
            "trial": best.trial,
            "values": [value if math.isfinite(value) else None for value in best.values],
            "parameters": best.parameters,
        },
        "front": list(entry.front),
        "started": _second(entry.started),
        "changed": _second(entry.changed),
        "folder": None if entry.folder is None else relative(entry.folder),
    }


def _second(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
