"""What is to be seen of a study now: how it stands, which trials have ended, which run where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.errors import UserError
from mnist_sweep.studies.listing import Entry, Monitors, State, entry_of
from mnist_sweep.studies.table import age, best_cells
from mnist_sweep.sweep.moved_runs import Places
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.storage import OUTAGE
from mnist_sweep.sweep.trial_line import TrialLine, settings
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.leases import host_of
from mnist_sweep.sweep.trials.status import (
    FINISHED,
    TrialStatus,
    attributes_of,
    status_of,
    was_launched,
)
from mnist_sweep.text import duration, printable

ENDED_AS = {"complete": "done"}  # as a sweep's own lines call it


class SightError(UserError):
    """A study that cannot be watched."""


@dataclass(frozen=True)
class Sight:
    """A study at one moment.

    `ended`: a line for each launched trial that has ended, by its number, in the order of their
    ends. `running`: what is known of each trial that runs. `left`: seconds, None where unknown.
    """

    entry: Entry
    ended: Mapping[int, TrialLine | str]
    running: Sequence[str]
    left: float | None

    @property
    def standing(self) -> str:
        """How the study stands, what is wanted most first: a narrow terminal cuts the line."""
        return ", ".join(self._standing()) or "no trial done yet"

    def _standing(self) -> Iterator[str]:
        if self.left is not None:
            yield f"about {duration(self.left)} left"
        best, _ = best_cells(self.entry)
        if self.entry.best is not None:
            single = len(self.entry.directions) == 1
            yield f"best {best} (trial {self.entry.best.trial})" if single else best
        for status in (TrialStatus.PRUNED, TrialStatus.FAILED, TrialStatus.REJECTED):
            if self.entry.counts.get(status):
                yield f"{self.entry.counts[status]} {status.value}"


def look(study: optuna.Study, address: str, owners: Monitors) -> Sight:
    """Return what is to be seen of a study.

    Raises SightError for what no sweep writes, and FormatError for a study of a later version.
    """
    try:
        return _look(study, address, owners)
    except (UserError, *OUTAGE):
        raise
    except Exception as error:  # another program's values can be of any kind
        raise SightError(
            f"study={printable(study.study_name)} holds what no sweep writes: "
            f"{type(error).__name__}: {printable(str(error))}"
        ) from error


def _look(study: optuna.Study, address: str, owners: Monitors) -> Sight:
    entry = entry_of(study, address, owners)
    trials = study.get_trials(deepcopy=False)
    places = Places(study, address)
    written = ObjectiveText(entry.objectives)
    finished = [trial for trial in trials if status_of(trial) in FINISHED]
    finished.sort(key=lambda trial: trial.datetime_complete or datetime.min)
    for trial in finished:
        written.recognize(trial)
    _learn(written, finished, places)
    running = [t for t in trials if t.state == TrialState.RUNNING and was_launched(t)]
    names = {name for trial in trials for name in trial.params}
    return Sight(
        entry,
        {trial.number: _ended(trial, entry, written, names) for trial in finished},
        [_running(trial, places.folder, written) for trial in running],
        _left(entry, finished, len(running)),
    )


def _learn(written: ObjectiveText, finished: Sequence[FrozenTrial], places: Places) -> None:
    """Have it know on how many images the runs are validated, where one of them is here."""
    for trial in finished:
        run = places.run(trial.number, trial.user_attrs.get("run_directory"))
        if run is not None and (result := outcomes.recorded(Path(run))):
            written.learn(result)
            return


def _ended(
    trial: FrozenTrial, entry: Entry, written: ObjectiveText, names: set[str]
) -> TrialLine | str:
    attributes, status = attributes_of(trial), status_of(trial)
    if status == TrialStatus.FAILED:
        return f"trial {trial.number:>2} failed: {printable(str(attributes.get('reason')))}"
    curve = [report for _, report in sorted(trial.intermediate_values.items())]
    size, most = attributes.get("parameters"), attributes.get("max_epochs")
    counted = "parameters" not in written.names and isinstance(size, int)
    return TrialLine(
        trial.number,
        ENDED_AS.get(status.value, status.value),
        written.all(trial.values or curve[-1:]),
        entry.best is not None and trial.number in entry.front,
        size if counted else None,
        curve,
        max(most if isinstance(most, int) else 0, len(curve), 1),
        [printable(each) for each in settings(trial.params, names)],
    )


def _running(trial: FrozenTrial, folder: Path | None, written: ObjectiveText) -> str:
    """Return how far a running trial is, where it runs, and for how long."""
    facts = outcomes.recorded(folder / str(trial.number)) if folder else {}
    steps = trial.intermediate_values
    done = outcomes.epochs_done(folder / str(trial.number)) if folder else max(steps, default=0)
    most = f"/{printable(str(facts['max_epochs']))}" if facts.get("max_epochs") else ""
    parts = [f"epoch {max(done, max(steps, default=0))}{most}"] if facts or steps else ["starting"]
    if steps:
        parts.append(written.all([steps[max(steps)]]))
    parts += [printable(host)] if (host := host_of(trial)) else []
    parts.append(age(trial.datetime_start, datetime.now()))
    return f"trial {trial.number:>2}: {', '.join(parts)}"


def _left(entry: Entry, finished: Sequence[FrozenTrial], running: int) -> float | None:
    """Return the seconds until the total, as many trials at a time as run now; None if unknown."""
    took = [trial.duration.total_seconds() for trial in finished if trial.duration]
    missing = (entry.total or 0) - entry.done
    if not took or not running or missing <= 0 or entry.state != State.RUNNING:
        return None
    return sum(took) / len(took) * missing / running
