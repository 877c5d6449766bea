"""A study as plain data: every trial a row, and what was searched."""

import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from mnist_sweep.cli.printed_commands import Program, from_record
from mnist_sweep.errors import UserError
from mnist_sweep.passwords import without_password
from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.moved_runs import Places
from mnist_sweep.sweep.read_only import answering, open_to_read
from mnist_sweep.sweep.settings import check_study_name
from mnist_sweep.sweep.trials.status import FINISHED, attributes_of, is_feasible, status_of
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.untrusted_files import TEXTS

# What a trial of ours knows, from its run or from the budget's gate.
TRIAL_OF_OURS = {"epochs", "max_epochs", "parameters"}


class StudyReadError(UserError):
    """An error that a user can cause when a study is read or reported on."""


@dataclass(frozen=True)
class Row:
    """One trial. `values`: its objectives, none unless it is complete; `curve`: value by epoch."""

    number: int
    status: str
    reason: str | None
    values: tuple[float, ...]
    settings: dict[str, Any]
    attributes: dict[str, Any]
    curve: dict[int, float]
    began: datetime | None
    ended: datetime | None
    feasible: bool

    @property
    def command(self) -> list[str]:
        """The overrides that train it again as a single run."""
        return list(self.attributes.get("overrides", []))


@dataclass(frozen=True, eq=False)
class StudyRecord:
    """A study's rows by number, `best` first to last where there is an order among the complete.

    With several objectives `best` is the front, by the first of them.
    """

    study: optuna.Study
    name: str
    address: str | None
    objectives: list[str]
    directions: list[str]
    definition: dict[str, Any]
    rows: list[Row]
    best: list[Row]
    folder: Path | None  # where its sweep wrote, and where that is now

    @property
    def home(self) -> Path | None:
        """The folder for what is found out about it: its sweep's directory, or multirun/<study>.

        The latter where its directory is not here, or cannot be written to; None where the study's
        name, which may be another program's, cannot name a folder.
        """
        if self.folder is not None and os.access(self.folder, os.W_OK):
            return self.folder
        try:
            check_study_name(self.name)
        except SweepError:
            return None
        return Path("multirun", self.name)

    @property
    def homes(self) -> list[Path]:
        """The folders in which what was found out about it may lie: its sweep's, and `home`."""
        known = [each for each in (self.folder, self.home) if each is not None]
        return list({each.resolve(): each for each in known}.values())

    @cached_property
    def searched(self) -> dict[str, BaseDistribution]:
        """What was drawn, by name, and from where; in the order of the first trials.

        A range that a later sweep has moved reaches from the least to the greatest.
        """
        found: dict[str, BaseDistribution] = {}
        for trial in self.study.get_trials(deepcopy=False):
            for name, among in trial.distributions.items():
                found[name] = _both(found.get(name, among), among)
        return found

    @property
    def ours(self) -> bool:
        """Whether its trials are runs of ours, and not of another application."""
        return any(TRIAL_OF_OURS & row.attributes.keys() for row in self.rows)

    @cached_property
    def program(self) -> Program | None:
        """How its sweep was started; None where that is not known."""
        recorded = self.study.user_attrs.get(study_store.COMMAND)
        return from_record(recorded) if recorded is not None or self.ours else None

    def command(self, row: Row) -> str | None:
        """Return the line that trains a trial's configuration again; None where none is known."""
        return self.program.command(row.command) if self.program and row.command else None

    @property
    def step(self) -> str:
        """What its trials report after."""
        return "epoch" if self.ours else "step"

    @property
    def counts(self) -> Counter[str]:
        """How many trials have which status."""
        return Counter(row.status for row in self.rows)

    @property
    def finished(self) -> list[Row]:
        """The launched trials that have ended."""
        return [row for row in self.rows if row.status in FINISHED]

    @property
    def epochs_saved(self) -> int:
        """The epochs that pruning has spared."""
        return Tally(self.study).epochs_saved

    @property
    def epochs_trained(self) -> int:
        """The epochs of all launched trials."""
        return sum(int(row.attributes.get("epochs", 0)) for row in self.finished)

    @property
    def seconds(self) -> float:
        """What all launched trials took, added up."""
        return sum(float(row.attributes.get("seconds", 0.0)) for row in self.finished)

    @property
    def budget(self) -> int | None:
        """The most parameters that a network might have."""
        budget = self.definition.get("budget")
        limit = budget.get("max_parameters") if isinstance(budget, dict) else None
        return limit if isinstance(limit, int) else None


def _both(one: BaseDistribution, other: BaseDistribution) -> BaseDistribution:
    """Return a range that holds two of a setting, on the scale of the first."""
    if one == other or isinstance(one, CategoricalDistribution):
        return one
    assert isinstance(one, FloatDistribution | IntDistribution)
    assert isinstance(other, FloatDistribution | IntDistribution)
    low, high = min(one.low, other.low), max(one.high, other.high)
    if (low, high) == (one.low, one.high):
        return one
    log = one.log and other.log
    if isinstance(one, IntDistribution):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def read_study(name: str, address: str) -> StudyRecord:
    """Read a study, which changes nothing.

    Raises StorageError where there is no such storage, and StudyReadError where it has none of that
    name.
    """
    with answering(address):
        return of_storage(name, address, open_to_read(address))


def of_storage(name: str, address: str, storage: BaseStorage) -> StudyRecord:
    """Read a study of an opened storage. Raises StudyReadError where it has none of that name."""
    names = optuna.get_all_study_names(storage)
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise StudyReadError(f"study={name} is not in {without_password(address)}; it has {known}")
    study = optuna.load_study(study_name=name, storage=storage)
    study_store.check_format(study)
    definition = study_search.definition_of(study)
    places = Places(study, address)
    rows = [row(trial, places) for trial in study.get_trials(deepcopy=False)]
    directions = study_store.direction_names(study)
    return StudyRecord(
        study,
        name,
        without_password(address),
        objectives_of(study),
        directions,
        definition,
        rows,
        _ranked(study, rows, directions),
        places.folder,
    )


def objectives_of(study: optuna.Study) -> list[str]:
    """Return what a study's sweep calls its values; "value" and the like where it has no names."""
    objective = study_search.definition_of(study).get("objective") or "value"
    names = [objective] if isinstance(objective, str) else objective
    if not TEXTS.holds(names):  # another application may mean something else by it
        names = ["value"]
    if len(names) == len(study.directions):
        return names
    return [f"value {number}" for number in range(len(study.directions))]


def row(trial: FrozenTrial, places: Places) -> Row:
    """Return a trial as plain data, with its run's directory where that is now."""
    attributes = attributes_of(trial)
    directory = places.run(trial.number, attributes.pop("run_directory", None))
    if directory is not None:
        attributes["run_directory"] = directory
    complete = trial.state == optuna.trial.TrialState.COMPLETE
    return Row(
        number=trial.number,
        status=status_of(trial),
        reason=attributes.pop("reason", None),
        values=tuple(trial.values) if complete else (),
        settings=dict(trial.params),
        attributes=attributes,
        curve=dict(trial.intermediate_values),
        began=trial.datetime_start,
        ended=trial.datetime_complete,
        feasible=is_feasible(trial),
    )


def _ranked(study: optuna.Study, rows: list[Row], directions: list[str]) -> list[Row]:
    complete = [row for row in rows if row.values and row.feasible]
    if len(directions) > 1:
        front = {trial.number for trial in Tally(study).best}
        complete = [row for row in complete if row.number in front]
    falls = directions[0] == "minimize"
    return sorted(complete, key=lambda r: (r.values[0] if falls else -r.values[0], r.number))
