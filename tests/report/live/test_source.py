"""A storage is opened anew only where what was read of it is old."""

from pathlib import Path

import optuna
import pytest

from mnist_sweep.report.live.source import Source
from mnist_sweep.sweep.read_only import StorageError
from mnist_sweep.sweep.storage import open_storage
from tests.report.conftest import add, create

SQLITE, JOURNAL = "sqlite:///studies.db", "journal:///studies.log"


def trials(source, name="s"):
    return len(optuna.load_study(study_name=name, storage=source.storage()).get_trials())


@pytest.mark.parametrize(("address", "kept"), [(SQLITE, False), (JOURNAL, True)])
def test_what_is_added_is_read(address, kept):
    study = create("s", storage=open_storage(address).optuna)
    source = Source(address)
    first = source.storage()
    assert source.storage() is first
    assert trials(source) == 0
    add(study, "complete", 0.5)
    assert trials(source) == 1
    assert (source.storage() is first) == kept


@pytest.mark.parametrize("address", [SQLITE, JOURNAL])
def test_a_file_in_its_place_is_another_storage(address):
    create("s", storage=open_storage(address).optuna)
    source = Source(address)
    assert trials(source) == 0
    path = Path(address.rpartition("/")[2])
    path.rename("old")
    for left in Path().glob(f"{path.name}-*"):
        left.unlink()
    with pytest.raises(StorageError, match="there is no file studies"):
        source.storage()
    create("other", storage=open_storage(address).optuna)
    assert trials(source, "other") == 0
