"""Storages that are read are left as they are, wherever they lie."""

import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import optuna
import pytest
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from mnist_sweep.sweep.read_only import (
    ReadOnlyError,
    StorageError,
    in_a_file_or_server,
    is_there,
    open_to_annotate,
    open_to_read,
)
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.study_record import StudyReadError, read_study

ADDRESS, JOURNAL = "sqlite:///there/studies.db", "journal:///there/studies.log"


@pytest.fixture
def there():
    folder = Path("there")
    folder.mkdir()
    return folder


@pytest.fixture
def read_only(there):
    """Return a function after which nothing can be written to the folder, also by root."""
    mounted = []

    def make():
        if os.geteuid() != 0:
            there.chmod(0o555)
            return
        path = str(there.resolve())
        for options in (["--bind", path], ["-o", "remount,ro,bind"]):
            done = subprocess.run(["mount", *options, path], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"this root may not mount: {done.stderr}")
            mounted.append(path)
        assert not os.access(there, os.W_OK)

    yield make
    if mounted:
        subprocess.run(["umount", mounted[0]], check=True)
    there.chmod(0o755)


def state(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def fill(storage, trials):
    study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True)
    for number in range(trials):
        study.add_trial(optuna.create_trial(value=float(number)))


def close(storage):
    storage.remove_session()
    storage.engine.dispose()


def plain(there):
    """As another tool leaves it."""
    storage = RDBStorage(ADDRESS)
    fill(storage, 3)
    close(storage)


def logged(there):
    """As a sweep of ours leaves it; without its lock."""
    storage = open_storage(ADDRESS)
    fill(storage.optuna, 3)
    storage.close()
    (there / "studies.db.sweeps.lock").unlink()


def interrupted(there, *suffixes):
    """As a killed process leaves it: most is in the log."""
    logged(there)
    with closing(sqlite3.connect(there / "studies.db")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE trial_values SET value = 7 WHERE value = 2")
        connection.commit()
        for suffix in suffixes:
            shutil.copyfile(there / f"studies.db{suffix}", f"kept{suffix}")
        shutil.copyfile(there / "studies.db", "kept")
    for path in there.iterdir():
        path.unlink()
    for suffix in ("", *suffixes):
        shutil.copyfile(f"kept{suffix}", there / f"studies.db{suffix}")


def killed(there):
    interrupted(there, "-wal", "-shm")


def copied(there):
    interrupted(there, "-wal")


def rolled_back(there):
    """A process without a log, killed in the middle of a commit."""
    plain(there)
    with closing(sqlite3.connect(there / "studies.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE more (x)")
        connection.executemany("INSERT INTO more VALUES (?)", [("x" * 4000,)] * 200)
        connection.execute("UPDATE trial_values SET value = 9")
        for suffix in ("", "-journal"):
            shutil.copyfile(there / f"studies.db{suffix}", f"kept{suffix}")
        connection.execute("ROLLBACK")
    for suffix in ("", "-journal"):
        shutil.copyfile(f"kept{suffix}", there / f"studies.db{suffix}")


def journal(there):
    fill(JournalStorage(JournalFileBackend(str(there / "studies.log"))), 3)


def cut_short(there):
    journal(there)
    with (there / "studies.log").open("ab") as file:
        file.write(b'{"op_code": 4, "work')


KINDS = {plain: 2, logged: 2, killed: 7, copied: 7, rolled_back: 2, journal: 2, cut_short: 2}


@pytest.mark.parametrize("medium", ["writable", "read-only"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_storage_is_read_whole_and_left_as_it_is(kind, medium, there, read_only):
    kind(there)
    if medium == "read-only":
        read_only()
    before = state(there)
    address = JOURNAL if (there / "studies.log").exists() else ADDRESS
    record = read_study("s", address)
    assert [row.values for row in record.rows] == [(0.0,), (1.0,), (float(KINDS[kind]),)]
    assert state(there) == before


def test_a_storage_that_is_written_to_meanwhile_is_what_is_committed_and_stays_open(there):
    writing = open_storage(ADDRESS)
    fill(writing.optuna, 3)
    with writing.lock("s"):  # a reader waits for nobody
        before = sorted(path.name for path in there.iterdir())
        record = read_study("s", ADDRESS)
        assert sorted(path.name for path in there.iterdir()) == before
    fill(writing.optuna, 2)
    assert len(record.study.get_trials()) == 3
    assert len(read_study("s", ADDRESS).rows) == 5
    writing.close()


def test_what_is_read_cannot_be_written_to(there):
    plain(there)
    journal(there)
    before = state(there)
    study = optuna.load_study(study_name="s", storage=open_to_read(JOURNAL))
    with pytest.raises(ReadOnlyError, match="was opened to be read"):
        study.ask()
    optuna.load_study(study_name="s", storage=open_to_read(ADDRESS)).ask()  # in memory
    assert state(there) == before


@pytest.mark.parametrize("kind", [plain, logged, journal])
def test_notes_are_added_without_another_journal_mode_and_without_a_lock(kind, there):
    kind(there)
    address = JOURNAL if kind is journal else ADDRESS
    before = set(state(there))
    storage = open_to_annotate(address)
    optuna.load_study(study_name="s", storage=storage).set_user_attr("note", "x")
    if kind is not journal:
        storage.remove_session()
        storage._backend.engine.dispose()
        with closing(sqlite3.connect(there / "studies.db")) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        assert mode == ("delete" if kind is plain else "wal")
    assert set(state(there)) == before
    record = read_study("s", address)
    assert record.study.user_attrs == {"note": "x"}


@pytest.mark.parametrize("kind", [plain, logged, journal])
def test_nothing_is_added_where_nothing_can_be(kind, there, read_only):
    kind(there)
    read_only()
    before = state(there)
    assert open_to_annotate(JOURNAL if kind is journal else ADDRESS) is None
    assert state(there) == before


@pytest.mark.parametrize("scheme", ["sqlite:///", "sqlite+pysqlite:///"])
@pytest.mark.parametrize(
    "form", ["there/studies.db", "{absolute}", "file:there/studies.db?mode=ro&uri=true"]
)
def test_every_form_of_an_address_is_read(scheme, form, there):
    plain(there)
    address = scheme + form.format(absolute=(there / "studies.db").resolve())
    assert len(read_study("s", address).rows) == 3


@pytest.mark.parametrize("name", ["a b#c?.db", "é%20.db"])
def test_a_file_of_any_name_is_read(name, there):
    plain(there)
    (there / "studies.db").rename(there / name)
    assert len(read_study("s", f"sqlite:///there/{quote(name)}").rows) == 3


@pytest.mark.parametrize("open_it", [open_to_read, open_to_annotate])
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("sqlite:///there/none.db", "there is no file there/none.db"),
        ("sqlite:///none/none.db", "there is no file none/none.db"),
        ("sqlite:///there", "there is a folder"),
        ("sqlite:///", "is in memory"),
        ("sqlite:///:memory:", "is in memory"),
        ("sqlite:///file:there/none.db?uri=true", "there is no file there/none.db"),
        ("journal:///there/none.log", "there is no file there/none.log"),
        ("nonsense", "it is no address"),
        ("", "it is no address"),
    ],
)
def test_what_is_not_there_is_one_line_and_nothing_is_made(open_it, address, message, there):
    with pytest.raises(StorageError, match=message) as raised:
        open_it(address)
    assert "\n" not in str(raised.value)
    assert [path.name for path in Path().rglob("*")] == ["there"]


@pytest.mark.parametrize(
    ("name", "content"), [("a.db", b"no database at all, of some length" * 9), ("a.log", b"x\ny\n")]
)
def test_a_file_of_another_kind_is_one_line(name, content, there):
    (there / name).write_bytes(content)
    scheme = "journal" if name.endswith("log") else "sqlite"
    with pytest.raises(StorageError, match=r"a\.(db|log) cannot be read") as raised:
        read_study("s", f"{scheme}:///there/{name}")
    assert "\n" not in str(raised.value)
    assert (there / name).read_bytes() == content


@pytest.mark.parametrize("content", ["other", ""])
def test_a_database_without_studies_has_none_and_gets_no_tables(content, there):
    path = there / "studies.db"
    path.touch()
    if content:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE other (x)")
            connection.commit()
    before = state(there)
    with pytest.raises(StudyReadError, match="it has none"):
        read_study("s", ADDRESS)
    assert state(there) == before


def test_a_server_that_does_not_answer_is_said_in_the_drivers_words():
    pytest.importorskip("psycopg")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and it does not listen
        port = taken.getsockname()[1]
        with pytest.raises(StorageError) as raised:
            open_to_read(f"postgresql+psycopg://u:sesame@127.0.0.1:{port}/db")
    said = str(raised.value)
    assert said.startswith(f"storage=postgresql+psycopg://u:***@127.0.0.1:{port}/db cannot be read")
    assert "Connection refused" in said
    assert "sesame" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("address", "outlives"),
    [
        (None, False),
        ("sqlite://", False),
        ("sqlite:///:memory:", False),
        (ADDRESS, True),
        (JOURNAL, True),
        ("postgresql+psycopg://u@h/db", True),
    ],
)
def test_a_storage_in_memory_ends_with_its_process(address, outlives):
    assert in_a_file_or_server(address) == outlives


@pytest.mark.parametrize("address", [ADDRESS, JOURNAL])
def test_a_file_that_is_not_there_is_not_made_by_looking(there, address):
    assert not is_there(address)
    assert list(there.iterdir()) == []
    open_storage(address).close()
    assert is_there(address)
