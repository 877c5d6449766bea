"""optuna-dashboard with what our trials have to show: figures of each, and how to do it again.

    python -m mnist_sweep.dashboard

storage    where the studies are; sqlite:///multirun/optuna.db where that is left out
artifacts  the folder for the trials' figures; multirun/artifacts where that is left out
host       127.0.0.1 where that is left out: nobody but this machine sees it
port       8080 where that is left out

Before it starts, every finished trial whose run is here gets its learning curve and its confusion
matrix, once, and each study a note with its best trial's command line.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from matplotlib.figure import Figure
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from tqdm import tqdm

from mnist_sweep.cli import arguments
from mnist_sweep.cli.printed_commands import entry
from mnist_sweep.errors import UserError
from mnist_sweep.passwords import without_password
from mnist_sweep.report.curves import learning_curve
from mnist_sweep.report.network import errors_of
from mnist_sweep.sweep.read_only import open_to_annotate, open_to_read
from mnist_sweep.sweep.study_record import Row, StudyRecord, of_storage
from mnist_sweep.sweep.trials.status import TrialStatus

DOTS = 100  # an inch

# Where optuna-dashboard keeps what it adds to a trial that has ended, and which Optuna's own
# interface would write to the trial: among the study's system attributes.
PREFIX = "dashboard:artifacts:"


@dataclass
class Dashboard:
    """The command line; see the module."""

    storage: str = "sqlite:///multirun/optuna.db"
    artifacts: str = "multirun/artifacts"
    host: str = "127.0.0.1"
    port: int = 8080


class _Ended:
    """A storage to which artifacts of trials that have ended can be written."""

    def __init__(self, storage: BaseStorage, study: optuna.Study) -> None:
        self.storage = storage
        self.study_id = storage.get_study_id_from_name(study.study_name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: str) -> None:
        """Write down an artifact, `key` being artifacts:<its id>."""
        name = f"{PREFIX}{trial_id}:{key.partition(':')[2]}"
        self.storage.set_study_system_attr(self.study_id, name, value)


def main(asked: Dashboard) -> None:
    """Prepare what there is to show, and serve it until Ctrl-C."""
    from optuna_dashboard import run_server

    folder = Path(asked.artifacts)
    storage = open_to_annotate(asked.storage)
    if storage is None or not _can_hold(folder):
        print(
            f"the storage, or {folder}, cannot be written to: the studies are shown as they are "
            "now, without figures"
        )
        storage, store = open_to_read(asked.storage), None
    else:
        store = FileSystemArtifactStore(str(folder))
        for name in optuna.get_all_study_names(storage):
            record = of_storage(name, asked.storage, storage)
            if record.ours:  # another application's runs are not ours to read
                prepare(record, storage, store)
    figures = f"; figures in {folder}" if store else ""
    print(f"studies of {without_password(asked.storage)}{figures}")
    print(f"optuna-dashboard: http://{asked.host}:{asked.port} (Ctrl-C ends it)")
    try:
        run_server(storage, asked.host, asked.port, store)
    except OSError as error:
        raise UserError(
            f"port={asked.port} of {asked.host} cannot be used ({error.strerror}); "
            "choose another port"
        ) from error


def _can_hold(folder: Path) -> bool:
    """Make a folder; whether files can be put into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def prepare(record: StudyRecord, storage: BaseStorage, store: FileSystemArtifactStore) -> int:
    """Give each finished trial its figures, and the study its note; return how many got some."""
    from optuna_dashboard import save_note

    save_note(record.study, note(record))
    trials = record.study.get_trials(deepcopy=False)
    study_id = storage.get_study_id_from_name(record.name)
    having = _having(storage, study_id)
    id_of = partial(storage.get_trial_id_from_study_id_trial_number, study_id)
    waiting = [row for row in record.finished if id_of(row.number) not in having]
    drawn = 0
    for row in tqdm(waiting, desc=f"figures of {record.name}", unit="trial", disable=None):
        drawn += bool(_add(_Ended(storage, record.study), trials[row.number], row, store))
    return drawn


def note(record: StudyRecord) -> str:
    """Return what the study's page says: the best trial, and how to do it again."""
    if not record.best:
        return "No complete trial fits the budget."
    best = record.best[0]
    figures = ", ".join(
        f"{name} {value:.6g}" for name, value in zip(record.objectives, best.values, strict=True)
    )
    command = record.command(best)
    again = f"```bash\n{command}\n```\n\n" if command else ""
    report = entry("report", study=record.name, storage=record.address)
    return (
        f"Best trial: {best.number} ({figures}), in `{best.attributes.get('run_directory')}`\n\n"
        f"{again}More: `{report}`. A trial whose constraint is "
        "above 0 was over budget: it was rejected and never ran. See its `status` and `gate`."
    )


def _having(storage: BaseStorage, study_id: int) -> set[int]:
    """Return the ids of the trials that have artifacts already."""
    attributes: dict[str, Any] = storage.get_study_system_attrs(study_id)
    return {
        int(key.removeprefix(PREFIX).partition(":")[0])
        for key, value in attributes.items()
        if key.startswith(PREFIX) and json.loads(value) is not None
    }


def _add(ended: _Ended, trial: FrozenTrial, row: Row, store: FileSystemArtifactStore) -> list[str]:
    """Draw a trial's figures and store them; return their names."""
    added = []
    with tempfile.TemporaryDirectory() as folder:
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


if __name__ == "__main__":
    arguments.run(Dashboard, __doc__ or "", main)
