"""Figures of trials that have ended, stored as optuna-dashboard's artifacts."""

import json
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from tqdm import tqdm

from mnist_sweep.errors import UserError
from mnist_sweep.inspection.plots import anybodys_texts
from mnist_sweep.report.curves import learning_curve
from mnist_sweep.report.network import errors_of
from mnist_sweep.sweep.storage import OUTAGE
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import printable

DOTS = 100  # an inch

# Where optuna-dashboard keeps what it adds to a trial that has ended, and which Optuna's own
# interface would write to the trial: among the study's system attributes.
PREFIX = "dashboard:artifacts:"


class _Ended:
    """A storage to which artifacts of trials that have ended can be written."""

    def __init__(self, records: TrialRecords) -> None:
        self.records = records

    def set_trial_system_attr(self, trial_id: int, key: str, value: str) -> None:
        """Write down an artifact, `key` being artifacts:<its id>."""
        name = f"{PREFIX}{trial_id}:{key.partition(':')[2]}"
        self.records.storage.set_study_system_attr(self.records.study_id, name, value)


def without_figures(record: StudyRecord, storage: BaseStorage) -> list[Row]:
    """Return the finished trials whose runs are here and that have no figures, the best first."""
    records = TrialRecords(record.study, storage)
    having = _having(storage.get_study_system_attrs(records.study_id))
    waiting = [
        row for row in record.finished if _is_here(row) and records.id_of(row.number) not in having
    ]
    rank = {row.number: place for place, row in enumerate(record.best)}
    return sorted(waiting, key=lambda row: (rank.get(row.number, len(rank)), row.number))


def add_figures(
    record: StudyRecord,
    storage: BaseStorage,
    store: FileSystemArtifactStore,
    ended: threading.Event | None = None,
) -> int:
    """Give each finished trial its learning curve and confusion matrix, once, the best first.

    It stops where `ended` is set meanwhile. Returns how many trials got some: those whose runs are
    here and that had none.
    """
    records, waiting = TrialRecords(record.study, storage), without_figures(record, storage)
    trials = record.study.get_trials(deepcopy=False)
    drawn = 0
    for row in tqdm(
        waiting, desc=f"figures of {printable(record.name)}", unit="trial", disable=None
    ):
        if ended is not None and ended.is_set():
            break
        drawn += bool(_add(_Ended(records), trials[row.number], row, store))
    return drawn


class Drawing:
    """A thread that gives studies their figures while a page of them is open, as a context.

    Those of a trial take half a second: before the page opens, thousands would take many minutes.
    """

    def __init__(
        self, records: Sequence[StudyRecord], storage: BaseStorage, store: FileSystemArtifactStore
    ) -> None:
        self.records, self.storage, self.store = records, storage, store
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._draw, daemon=True, name="figures")

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *raised: object) -> None:
        self.ended.set()  # the figures of one trial are finished
        self.thread.join()

    def _draw(self) -> None:
        try:
            for record in self.records:
                with suppress(KeyError):  # the study was deleted on the page
                    add_figures(record, self.storage, self.store, self.ended)
        except (OSError, *OUTAGE) as error:
            print(f"no more figures are drawn: {printable(str(error))}", file=sys.stderr)


def _is_here(row: Row) -> bool:
    run = row.attributes.get("run_directory")
    return run is not None and Path(run).is_dir()


def _having(attributes: dict[str, Any]) -> set[int]:
    """Return the ids of the trials that have artifacts already."""
    return {
        int(key.removeprefix(PREFIX).partition(":")[0])
        for key, value in attributes.items()
        if key.startswith(PREFIX) and json.loads(value) is not None
    }


def _add(ended: _Ended, trial: FrozenTrial, row: Row, store: FileSystemArtifactStore) -> list[str]:
    """Draw a trial's figures and store them; return their names."""
    added = []
    with tempfile.TemporaryDirectory() as folder, anybodys_texts():
        for name, figure in _figures(row):
            path = Path(folder) / f"{name}.png"
            figure.savefig(path, dpi=DOTS)
            storage: BaseStorage = ended  # type: ignore[assignment]
            upload_artifact(
                artifact_store=store, file_path=str(path), study_or_trial=trial, storage=storage
            )
            added.append(name)
    return added


def _figures(row: Row) -> Iterator[tuple[str, Figure]]:
    curve = learning_curve(row)
    if curve is not None:
        yield "learning_curve", curve
    if row.status in (TrialStatus.COMPLETE, TrialStatus.PRUNED):
        try:
            yield "confusion", errors_of(row).confusion
        except UserError:  # its run, or its data, is another machine's
            return
