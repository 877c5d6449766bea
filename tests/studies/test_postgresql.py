"""Studies in a PostgreSQL server are listed, renamed, exported and deleted as those in a file."""

import zipfile
from pathlib import Path

import pytest

from mnist_sweep.studies.deletion import delete
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.export import export
from mnist_sweep.studies.listing import read_entries
from mnist_sweep.studies.opening import open_to_change
from mnist_sweep.studies.renaming import rename
from mnist_sweep.sweep.read_only import StorageError
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.study_record import of_storage
from tests.report.conftest import add
from tests.studies.conftest import swept

pytestmark = pytest.mark.slow


@pytest.fixture
def storage(server):
    with pytest.raises(StorageError, match="it has no studies"):
        open_to_change(server)
    opened = open_storage(server)
    yield opened
    opened.close()


def test_a_study_in_a_server_is_changed_as_one_in_a_file(server, storage):
    def known():
        return {entry.name: entry.progress for entry in read_entries(storage.optuna, server)}

    study = swept(address=server, storage=storage.optuna)
    assert known() == {"s": "2/2"}
    add(study, "complete", 0.5)
    assert known() == {"s": "3/2"}
    rename("s", "t", storage)
    assert known() == {"t": "3/2"}
    rows = of_storage("t", server, storage.optuna).rows
    assert [row.values for row in rows] == [(0.9,), (0.91,), (0.5,)]
    export("t", server, storage.optuna, "t.zip")
    with zipfile.ZipFile("t.zip") as archive:
        assert {"t/optuna.db", "t/1/result.json"} < set(archive.namelist())
    with pytest.raises(StudiesError, match="nothing is removed yet"):
        delete("t", storage, confirmed=False)
    delete("t", storage, confirmed=True)
    assert known() == {}
    assert not Path("multirun/t").exists()
