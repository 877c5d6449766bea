import socket
from pathlib import Path

import optuna
import pytest

from mnist_sweep.dashboard import __main__ as dashboard
from mnist_sweep.dashboard.__main__ import Dashboard
from mnist_sweep.errors import UserError
from tests.report.conftest import ADDRESS, add, create, ran


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
