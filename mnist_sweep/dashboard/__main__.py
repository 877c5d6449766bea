"""Look at studies in optuna-dashboard: `python -m mnist_sweep.dashboard [key=value ...]`.

  storage=sqlite:///multirun/optuna.db   where the studies are
  artifacts=multirun/artifacts           where the figures of their trials are put
  host=127.0.0.1 port=8080               where the dashboard listens

Before it starts, each study that a sweep has made gets a note (its best trial, what was searched,
the commands), and each trial that has ended one of its own (what came of it and why, and its
command). A note that you have changed is left as it is. While the page is open, each finished trial
whose run is here gets its learning curve and its confusion matrix, the best trials first.
"""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import BaseStorage

from mnist_sweep.cli import arguments
from mnist_sweep.dashboard.annotations import annotate
from mnist_sweep.dashboard.figures import Drawing, without_figures
from mnist_sweep.errors import UserError
from mnist_sweep.formats import FormatError
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.sweep.read_only import answering, open_to_annotate, open_to_read
from mnist_sweep.sweep.storage import OUTAGE, cause_of
from mnist_sweep.sweep.study_record import StudyRecord, of_storage
from mnist_sweep.text import counted, printable


@dataclass
class Dashboard:
    """The command line; see the module."""

    storage: str = STORAGE
    artifacts: str = "multirun/artifacts"
    host: str = "127.0.0.1"
    port: int = 8080


def main(asked: Dashboard) -> None:
    """Prepare what there is to show, and serve it until Ctrl-C."""
    from optuna_dashboard import run_server

    arguments.check_address(asked.host, asked.port)
    folder, drawing, undrawn = Path(asked.artifacts), None, 0
    storage = open_to_annotate(asked.storage)
    records = None
    if storage is not None and _can_hold(folder):
        records = _annotated(asked.storage, storage)
    if storage is None or records is None:
        print(
            f"the storage, or {folder}, cannot be written to: the studies are shown as they are "
            "now, without new notes and figures"
        )
        storage, store = open_to_read(asked.storage), None
    else:
        store = FileSystemArtifactStore(str(folder))
        ours = [each for each in records if each.ours]  # others' runs are not ours to read
        with answering(asked.storage):
            undrawn = sum(len(without_figures(each, storage)) for each in ours)
        drawing = Drawing(ours, storage, store)
    figures = f"; figures in {folder}" if store else ""
    print(f"studies of {without_password(asked.storage)}{figures}")
    if undrawn:
        print(
            f"figures of {counted(undrawn, 'trial')} are drawn while the page is open, the best "
            "first: reload it to see them"
        )
    print(f"optuna-dashboard: http://{asked.host}:{asked.port} (Ctrl-C ends it)", flush=True)
    try:
        with drawing or nullcontext():
            run_server(storage, asked.host, asked.port, store)
    except OSError as error:
        raise UserError(
            f"port={asked.port} of {asked.host} cannot be used ({error.strerror}); "
            "choose another port"
        ) from error


def _annotated(address: str, storage: BaseStorage) -> list[StudyRecord] | None:
    """Give the studies of an opened storage their notes, and return them.

    None where no note can be written, as where another program has locked the storage. Those of a
    later version are left out, which is said.
    """
    with answering(address):
        records = list(_readable(address, storage))
    try:
        for record in records:
            if record.program is not None:  # what no sweep of ours has made is left as it is
                annotate(record, storage)
    except OUTAGE as error:
        print(f"no note is written: {printable(said_of(address, str(cause_of(error))))}")
        return None
    return records


def _readable(address: str, storage: BaseStorage) -> Iterator[StudyRecord]:
    for name in optuna.get_all_study_names(storage):
        try:
            yield of_storage(name, address, storage)
        except FormatError as error:
            print(f"without notes and figures: {printable(str(error))}")


def _can_hold(folder: Path) -> bool:
    """Make a folder; whether files can be put into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


if __name__ == "__main__":
    arguments.run(Dashboard, __doc__ or "", main, wait="reading the studies")
