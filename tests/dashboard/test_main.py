import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna_dashboard import get_note

from mnist_sweep import formats
from mnist_sweep.dashboard import __main__ as dashboard
from mnist_sweep.dashboard.__main__ import Dashboard
from mnist_sweep.errors import UserError
from mnist_sweep.sweep import read_only
from tests.report import conftest as studies
from tests.report.conftest import add, ran

ADDRESS = "sqlite:///studies.db"  # which another program can lock


def create(name):
    return studies.create(name, storage=ADDRESS)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_port_that_is_taken_is_one_line():
    create("s")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port={port} of 127.0.0.1 cannot be used"):
            dashboard.main(Dashboard(storage=ADDRESS, artifacts="store", port=port))


def test_a_storage_that_there_is_not_is_one_line_and_no_file_is_made():
    with pytest.raises(UserError, match=r"there is no file none.db"):
        dashboard.main(Dashboard(storage="sqlite:///none.db", artifacts="store"))
    assert not Path("none.db").exists()


@pytest.mark.parametrize("kind", ["read-only", "another's", "ours"])
def test_what_is_served_is_changed_only_where_it_is_ours(kind, monkeypatch, capsys):
    study = create("s")
    attributes = ran(0) if kind != "another's" else {}
    add(study, "complete", 0.9, **attributes)
    if kind == "read-only":
        monkeypatch.setattr(dashboard, "open_to_annotate", lambda address: None)
    before = Path("studies.db").read_bytes()
    served = []
    monkeypatch.setattr("optuna_dashboard.run_server", lambda *given: served.append(given))
    dashboard.main(Dashboard(storage=ADDRESS, artifacts="store"))
    ((storage, *_, store),) = served
    assert optuna.get_all_study_names(storage) == ["s"]
    assert (store is None) == (kind == "read-only")
    assert (Path("studies.db").read_bytes() == before) == (kind != "ours")
    said = capsys.readouterr().out
    assert ("cannot be written to" in said) == (kind == "read-only")
    assert {path.name for path in Path().iterdir()} <= {"studies.db", "store"}


def test_a_study_of_a_later_version_is_served_with_the_others_and_gets_no_notes(
    monkeypatch, capsys
):
    later, usual = create("later"), create("usual")
    for study in (later, usual):
        add(study, "complete", 0.9, **ran(0))
    later.set_user_attr(formats.STUDY_KEY, formats.STUDY + 1)
    served = []
    monkeypatch.setattr("optuna_dashboard.run_server", lambda *given: served.append(given))
    dashboard.main(Dashboard(storage=ADDRESS, artifacts="store"))
    assert len(served) == 1
    assert (get_note(later), get_note(usual)[:7]) == ("", "## Best")
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "later" in line]
    assert said.startswith("without notes and figures: study 'later' has format 2, of a later ver")


def test_a_storage_that_another_program_has_locked_is_served_as_it_is(monkeypatch, capsys):
    add(create("s"), "complete", 0.9, **ran(0))
    served = []
    monkeypatch.setattr("optuna_dashboard.run_server", lambda *given: served.append(given))
    monkeypatch.setattr(read_only, "BUSY_TIMEOUT", 0)
    with closing(sqlite3.connect("studies.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        dashboard.main(Dashboard(storage=ADDRESS, artifacts="store"))
    ((storage, *_, store),) = served
    assert optuna.get_all_study_names(storage) == ["s"]
    assert store is None
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "no note is written: database is locked"
    assert second.startswith("the storage, or store, cannot be written to")
