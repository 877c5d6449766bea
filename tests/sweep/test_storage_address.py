import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.storage_address import address_of, is_sqlite

FILE = "optuna.storages.journal.JournalFileBackend"


def journal(**backend):
    return {"_target_": "optuna.storages.JournalStorage", "log_storage": backend}


@pytest.mark.parametrize(
    ("storage", "address"),
    [
        (None, None),
        ("sqlite:///a.db", "sqlite:///a.db"),
        (5, 5),  # for the settings' own check
        ({"_target_": "optuna.storages.InMemoryStorage"}, None),
        ({"_target_": "optuna.storages.RDBStorage", "url": "sqlite:///a.db"}, "sqlite:///a.db"),
        (journal(_target_=FILE, file_path="multirun/a.log"), "journal:///multirun/a.log"),
        (journal(_target_=FILE, file_path="/shared/a.log"), "journal:////shared/a.log"),
    ],
)
def test_a_storage_is_the_address_that_it_stands_for(storage, address):
    assert address_of(storage) == address
    assert address_of(OmegaConf.create({"storage": storage}).storage) == address


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ({"url": "sqlite:///a.db"}, "hydra.sweeper.storage._target_=None has no address; write an"),
        ({"_target_": "os.system", "command": "x"}, "storage._target_=os.system has no address; w"),
        ({"_target_": "optuna.storages.RDBStorage"}, "hydra.sweeper.storage has no url; write an"),
        (
            {"_target_": "optuna.storages.RDBStorage", "url": "a", "heartbeat_interval": 5},
            "hydra.sweeper.storage.heartbeat_interval cannot be part of an address: leave it out",
        ),
        (journal(_target_=FILE), "hydra.sweeper.storage.log_storage has no file_path; write an"),
        (
            journal(_target_="optuna.storages.journal.JournalRedisBackend", url="a"),
            "storage.log_storage=optuna.storages.journal.JournalRedisBackend is not optuna",
        ),
    ],
)
def test_what_stands_for_no_address_is_refused(storage, message):
    with pytest.raises(SweepError) as raised:
        address_of(OmegaConf.create({"storage": storage}).storage)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("address", "is_it"),
    [
        ("sqlite:///a.db", True),
        ("sqlite+pysqlite:////shared/a.db", True),
        ("journal:///sqlite.log", False),
        ("postgresql+psycopg://user@sqlite/db", False),
        (None, False),
    ],
)
def test_sqlite_is_known_by_its_address(address, is_it):
    assert is_sqlite(address) is is_it
