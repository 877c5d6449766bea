"""What must hold after a fault: each check returns what is wrong, a line each."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.study_folder import SUMMARY
from mnist_sweep.sweep.storage import JOURNAL, Storage
from mnist_sweep.sweep.trials.status import FINISHED, was_launched
from tools.faults.course import CHECKPOINT, METRICS, course, read_metrics
from tools.faults.sweeps import Study

SQLITE = "sqlite:///"


def trials(study: Study) -> list[FrozenTrial]:
    """Return a study's trials as they are now; none where it does not exist yet."""
    path = _file(study)
    if path is not None and not path.exists():
        return []
    storage = Storage(study.storage, study.folder)
    try:
        opened = optuna.load_study(study_name=study.name, storage=storage.optuna)
        return opened.get_trials(deepcopy=False)
    except KeyError:
        return []
    finally:
        storage.close()


def _file(study: Study) -> Path | None:
    for scheme in (SQLITE, JOURNAL):
        if study.storage.startswith(scheme):
            return study.folder / study.storage.removeprefix(scheme)
    return None


def finished(study: Study) -> dict[int, FrozenTrial]:
    """Return the trials that have ended, by number."""
    return {t.number: t for t in trials(study) if t.state.is_finished() and was_launched(t)}


def epochs_done(study: Study) -> int:
    """Return how many epochs all runs of a study have recorded."""
    return sum(len(read_metrics(path.parent)) for path in study.runs.glob(f"[0-9]*/{METRICS}"))


def still_there(before: dict[int, FrozenTrial], after: dict[int, FrozenTrial]) -> Iterator[str]:
    """Say which finished trials are not what they were."""
    for number, trial in before.items():
        now = after.get(number)
        if now is None or (now.state, now.values, now.params) != (
            trial.state,
            trial.values,
            trial.params,
        ):
            yield f"finished trial {number} was {trial.state.name}, and is {now}"


def whole(study: Study, epochs: int = 4) -> list[str]:
    """Check a study that was run to its total, whose trials were all to complete."""
    found = trials(study)
    return [
        *_accounted(found, study),
        *(line for trial in found for line in _as_uninterrupted(trial, study.runs, epochs)),
        *_files(study),
        *opens_clean(study),
    ]


def _accounted(found: Sequence[FrozenTrial], study: Study) -> Iterator[str]:
    launched = [trial for trial in found if was_launched(trial)]
    if len(launched) != study.trials:
        yield f"{len(launched)} trials were launched, not {study.trials}"
    for trial in found:
        if trial.state != TrialState.COMPLETE or not was_launched(trial):
            reason = trial.user_attrs.get("reason", "no reason")
            yield f"trial {trial.number} is {trial.state.name}: {reason}"
    folders = {int(path.name) for path in study.runs.glob("[0-9]*")}
    if folders != {trial.number for trial in launched}:
        yield f"run directories are {sorted(folders)}"
    if len({trial.params["x"] for trial in launched}) != len(launched):
        yield "a configuration was run twice"


def _as_uninterrupted(trial: FrozenTrial, runs: Path, epochs: int) -> Iterator[str]:
    expected = course(trial.params.get("x", 0.5), epochs)
    steps = list(enumerate(expected, start=1))
    if trial.values != [expected[-1]]:
        yield f"trial {trial.number} has the value {trial.values}, not {expected[-1]}"
    if list(trial.intermediate_values.items()) != steps:
        yield f"trial {trial.number} reported {trial.intermediate_values}"
    try:
        text = (runs / str(trial.number) / METRICS).read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError) as error:
        yield f"the metrics of trial {trial.number} cannot be read: {error}"
        return
    if [(line["epoch"], line["state"]) for line in lines] != steps:
        yield f"the metrics of trial {trial.number} are {lines}"


def left_behind(study: Study) -> Iterator[str]:
    """Say which files of a killed process are still there that nobody will ever complete."""
    for path in sorted(study.runs.rglob("*.tmp")) + sorted(study.runs.glob(".*.*")):
        yield f"{path.relative_to(study.folder)} was left behind"


def _files(study: Study) -> Iterator[str]:
    yield from left_behind(study)
    for path in sorted(study.runs.glob(f"[0-9]*/{CHECKPOINT}")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            yield f"{path.relative_to(study.folder)} is damaged: {error}"
    try:
        counts = OmegaConf.select(OmegaConf.load(study.runs / SUMMARY), "trials")
    except Exception as error:  # YAML has no public base of its errors that OmegaConf names
        yield f"{SUMMARY} is damaged: {error}"
        return
    told = sum(counts[status] for status in FINISHED)
    if told != study.trials:
        yield f"{SUMMARY} knows {told} finished trials"


def opens_clean(study: Study) -> Iterator[str]:
    """Say what is wrong with the database itself."""
    path = _file(study)
    if path is None:
        return
    if not path.exists():
        yield f"{path.relative_to(study.folder)} is not there"
        return
    if study.storage.startswith(JOURNAL):
        lines = path.read_bytes().split(b"\n")
        if lines[-1] != b"":
            yield f"{path.name} ends in the middle of a line"
        for number, line in enumerate(lines[:-1], start=1):
            try:
                json.loads(line)
            except ValueError as error:
                yield f"line {number} of {path.name} is damaged: {error}"
        return
    with closing(sqlite3.connect(path)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        yield f"{path.name}: {said}"


def age(study: Study, hours: float = 2) -> None:
    """Make what was left in a study's folder look old, as it is when somebody resumes a sweep."""
    then = time.time() - 3600 * hours
    for path in [*study.runs.rglob("*.tmp"), *study.runs.glob(".*.*")]:
        os.utime(path, (then, then), follow_symlinks=False)
