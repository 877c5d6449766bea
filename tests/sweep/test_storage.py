import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from filelock import Timeout
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.read_only import StorageError, open_to_read
from mnist_sweep.sweep.storage import Storage, cause_of, open_storage, reopen, with_backoff

NORMAL = 1  # what SQLite calls synchronous=NORMAL

HOLDER = """
import sys
from mnist_sweep.sweep.storage import open_storage
locks = [open_storage(address).lock("s") for address in sys.argv[1:]]
for lock in locks:
    lock.__enter__()
print("held", flush=True)
input()
"""


@pytest.fixture
def opened():
    """Return a function that opens a storage, which is closed when the test ends."""
    storages = []

    def open_one(address, base=None):
        storages.append(Storage(address, base) if base else open_storage(address))
        return storages[-1]

    yield open_one
    for storage in storages:
        storage.close()


def tell_one(storage, name="s"):
    """Put a trial in a study."""
    study = optuna.create_study(study_name=name, storage=storage.optuna, load_if_exists=True)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    study.tell(trial, 0.5)


def pragma(storage, name):
    with storage.engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_has_a_write_ahead_log_that_is_synced_at_checkpoints_only(opened):
    storage = opened("sqlite:///studies.db")
    assert pragma(storage, "journal_mode") == "wal"
    assert pragma(storage, "synchronous") == NORMAL
    # Optuna's own connection, and one beside it, are set up alike.
    with storage.engine.connect(), storage.engine.connect() as second:
        assert second.exec_driver_sql("PRAGMA synchronous").scalar() == NORMAL


def test_a_database_of_before_gets_the_write_ahead_log_and_keeps_its_trials(opened):
    old = RDBStorage("sqlite:///old.db")
    optuna.create_study(study_name="s", storage=old).ask()
    old.remove_session()
    old.engine.dispose()
    storage = opened("sqlite:///old.db")
    assert pragma(storage, "journal_mode") == "wal"
    assert len(optuna.load_study(study_name="s", storage=storage.optuna).trials) == 1


def test_a_writer_of_sqlite_waits_for_another_longer_than_the_drivers_five_seconds(opened):
    storage = opened("sqlite:///studies.db")
    assert pragma(storage, "busy_timeout") == 60_000


@pytest.mark.parametrize("address", ["sqlite:///a/b/studies.db", "journal:///a/b/studies.log"])
def test_a_folder_that_is_missing_is_created(opened, address):
    tell_one(opened(address))
    assert Path(address.split(":///")[1]).is_file()


@pytest.mark.parametrize("address", ["sqlite:///a/studies.db", "journal:///a/studies.log"])
def test_a_relative_path_is_looked_up_from_the_base(opened, tmp_path, monkeypatch, address):
    base, elsewhere = tmp_path / "base", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    storage = opened(address, base)
    tell_one(storage)
    assert storage.path == base / address.split(":///")[1]
    assert storage.path.is_file()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("scheme", ["sqlite", "journal"])
def test_an_absolute_path_stands_whatever_the_base(opened, tmp_path, scheme):
    file = tmp_path / "there" / "studies"
    storage = opened(f"{scheme}:///{file}", tmp_path / "base")
    tell_one(storage)
    assert storage.path == file
    assert file.is_file()
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("address", ["sqlite:///studies.db", "journal:///studies.log"])
def test_what_one_opening_writes_another_reads(opened, address):
    storage = opened(address)
    assert storage.shared
    tell_one(storage)
    again = optuna.load_study(study_name="s", storage=opened(address).optuna)
    assert [trial.value for trial in again.trials] == [0.5]


def test_a_journals_address_gives_optunas_journal(opened):
    assert isinstance(opened("journal:///studies.log").optuna, JournalStorage)


@pytest.mark.parametrize("part", [b'{"op_code": 4, "worker', b"0" * 200_000])
def test_a_journal_whose_last_line_was_cut_short_is_written_on_and_read(opened, part):
    tell_one(opened("journal:///studies.log"))
    path = Path("studies.log")
    whole = path.read_bytes()
    path.write_bytes(whole + part)  # as a disk that is full, or a kill, leaves it
    study = optuna.load_study(study_name="s", storage=opened("journal:///studies.log").optuna)
    study.add_trial(optuna.create_trial(value=0.25))
    assert path.read_bytes().startswith(whole + b"{")
    again = optuna.load_study(study_name="s", storage=opened("journal:///studies.log").optuna)
    assert [trial.value for trial in again.trials] == [0.5, 0.25]


def test_a_journal_of_nothing_but_a_part_of_a_line_is_an_empty_one(opened):
    Path("studies.log").write_bytes(b'{"op_c')
    tell_one(opened("journal:///studies.log"))
    again = optuna.load_study(study_name="s", storage=opened("journal:///studies.log").optuna)
    assert [trial.value for trial in again.trials] == [0.5]


def test_the_cause_of_an_outage_is_what_the_driver_said():
    locked = sqlite3.OperationalError("database or disk is full")
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = sqlalchemy.exc.OperationalError("INSERT", {}, locked)
    assert cause_of(error) is locked
    assert cause_of(locked) is locked


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (None, InMemoryStorage),
        ("sqlite:///:memory:", BaseStorage),
        ("sqlite://", BaseStorage),
        ("sqlite:///", BaseStorage),
    ],
)
def test_a_storage_in_memory_is_not_shared(opened, address, kind):
    storage = opened(address)
    assert isinstance(storage.optuna, kind)
    assert not storage.shared
    assert storage.path is None
    with storage.lock("s"), storage.lock("s"):  # nobody to keep out
        tell_one(storage)
    assert list(Path.cwd().iterdir()) == []


def test_a_storage_is_reopened_once_for_a_process_and_a_base(tmp_path):
    first = reopen("journal:///studies.log", str(tmp_path / "one"))
    assert reopen("journal:///studies.log", str(tmp_path / "one")) is first
    assert reopen("journal:///studies.log", str(tmp_path / "two")) is not first


def test_a_lock_keeps_another_process_out_until_it_is_killed(opened):
    addresses = ["sqlite:///studies.db", "journal:///studies.log"]
    locks = [opened(address).lock("s") for address in addresses]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *addresses],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        for lock in locks:
            with pytest.raises(Timeout):
                lock.acquire(timeout=0.05)
    finally:
        holder.kill()  # SIGKILL: it cannot release anything itself
        holder.communicate()
    for lock in locks:
        with lock.acquire(timeout=10):
            assert lock.is_locked


def test_a_lock_that_was_let_go_can_be_taken_again(opened):
    storage = opened("journal:///studies.log")
    for _ in range(2):
        with storage.lock("s"), pytest.raises(Timeout):
            opened("journal:///studies.log").lock("s").acquire(timeout=0.01)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sqlite:////proc/none/x.db", "/proc/none"),
        ("journal:////proc/none/x.log", "/proc/none"),
        ("nonsense://x", "nonsense"),
        ("foo", "URL"),
        ("", "URL"),
    ],
)
def test_an_address_that_cannot_be_opened_is_named_in_one_line(address, reason):
    with pytest.raises(SweepError) as error:
        open_storage(address)
    line = str(error.value)
    assert line.startswith(f"error: hydra.sweeper.storage={address} cannot be opened: ")
    assert reason in line.partition("cannot be opened")[2]
    assert "\n" not in line


def test_a_file_that_is_no_database_is_named_in_one_line():
    Path("notes.txt").write_text("shopping list\n" * 100)
    with pytest.raises(SweepError, match=r"storage=sqlite:///notes\.txt cannot") as error:
        open_storage("sqlite:///notes.txt")
    assert "\n" not in str(error.value)
    assert Path("notes.txt").read_text() == "shopping list\n" * 100


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("bookmarks (place text)", "'bookmarks'"),
        ("alembic_version (version_num text)", "'alembic_version'"),  # as MLflow's
        ("studies (place text)", "'studies'"),
    ],
)
def test_another_programs_database_is_named_and_left_as_it_is(table, named):
    with contextlib.closing(sqlite3.connect("other.db")) as connection:
        connection.execute(f"CREATE TABLE {table}")
        connection.commit()
    before = Path("other.db").read_bytes()
    with pytest.raises(SweepError, match=f"another program's table {named} is in it") as error:
        open_storage("sqlite:///other.db")
    assert "\n" not in str(error.value)
    assert Path("other.db").read_bytes() == before


def test_optunas_tables_that_were_made_in_part_are_completed(opened):
    opened("sqlite:///s.db")
    with contextlib.closing(sqlite3.connect("s.db")) as connection:
        for table in ("alembic_version", "version_info", "trial_heartbeats", "trials"):
            connection.execute(f"DROP TABLE {table}")
        connection.commit()
    storage = opened("sqlite:///s.db")
    tell_one(storage)
    assert len(optuna.load_study(study_name="s", storage=storage.optuna).trials) == 1


def test_tables_of_another_version_of_optuna_are_refused_also_after_others_were_opened(opened):
    opened("sqlite:///ours.db"), opened("sqlite:///theirs.db").close()
    with contextlib.closing(sqlite3.connect("theirs.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
        connection.commit()
    with pytest.raises(SweepError, match=r"theirs\.db cannot .*no longer compatible"):
        opened("sqlite:///theirs.db")
    with pytest.raises(StorageError, match=r"theirs\.db cannot be read: .*no longer compatible"):
        open_to_read("sqlite:///theirs.db")
    opened("sqlite:///ours.db")


@pytest.mark.parametrize(
    "address",
    [
        "nonsense://user:secret@host/db",
        "postgresql+psycopg://user:secret@host:port/db",  # whose port makes it no URL
    ],
)
def test_a_password_is_not_printed(address):
    with pytest.raises(SweepError) as error:
        open_storage(address)
    assert "secret" not in str(error.value)
    assert "host" in str(error.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_missing_driver_of_postgresql_comes_with_a_hint(monkeypatch, scheme):
    for name in ("psycopg", "psycopg2"):
        for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SweepError) as error:
        open_storage(f"{scheme}://user:secret@host.invalid/db")
    line = str(error.value)
    assert line.startswith(f"error: hydra.sweeper.storage={scheme}://user:***@host.invalid/db")
    assert "pip install '.[postgresql]'" in line
    assert "secret" not in line
    assert "\n" not in line


def test_other_addresses_errors_have_no_hint_about_postgresql():
    with pytest.raises(SweepError) as error:
        open_storage("nonsense://host/db")
    assert "pip install" not in str(error.value)


def test_the_lock_of_a_file_stands_beside_it(opened):
    with opened("sqlite:///a/studies.db").lock("s"):
        assert list(Path("a").glob("*.lock"))


def test_a_storage_that_does_not_answer_is_asked_again(monkeypatch):
    pauses = []
    monkeypatch.setattr("mnist_sweep.sweep.storage.time.sleep", pauses.append)
    answers = [StorageInternalError("gone"), StorageInternalError("gone"), 7]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert with_backoff(call) == 7
    assert pauses == [0.5, 1.0]


def test_a_storage_that_waits_for_a_minute_itself_is_asked_a_second_time(monkeypatch):
    monkeypatch.setattr("mnist_sweep.sweep.storage.time.sleep", lambda seconds: None)
    answers = [StorageInternalError("database is locked"), 7]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert with_backoff(call, seconds=0.0) == 7


def test_a_storage_that_stays_silent_is_given_up():
    with pytest.raises(StorageInternalError):
        with_backoff(lambda: (_ for _ in ()).throw(StorageInternalError("gone")), seconds=0.0)
    with pytest.raises(ValueError, match="not the storage's"):
        with_backoff(lambda: (_ for _ in ()).throw(ValueError("not the storage's")))


def test_many_may_open_a_new_database_at_once(tmp_path):
    code = (
        "import sys\n"
        "from mnist_sweep.sweep.storage import open_storage\n"
        "sys.stdin.readline()\n"
        "open_storage('sqlite:///new.db')\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    open_storage(f"sqlite:///{tmp_path}/new.db")
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    for process in processes:
        process.stdin.close()
