import json
import socket
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore
from PIL import Image

from mnist_sweep import dashboard
from mnist_sweep.dashboard import PREFIX, Dashboard, note, prepare
from mnist_sweep.errors import UserError
from mnist_sweep.sweep.read_only import open_to_annotate, open_to_read
from mnist_sweep.sweep.study_record import of_storage, read_study
from tests.report.conftest import ADDRESS, add, create, ran


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def prepared(name, store):
    """How many trials of a study got figures."""
    storage = open_to_annotate(ADDRESS)
    return prepare(of_storage(name, ADDRESS, storage), storage, store)


def attributes(name):
    storage = open_to_read(ADDRESS)
    return storage.get_study_system_attrs(storage.get_study_id_from_name(name))


def artifacts(name):
    """Of each trial id, the files that optuna-dashboard would list."""
    found = {}
    for key, value in attributes(name).items():
        if key.startswith(PREFIX):
            trial_id, identity = key.removeprefix(PREFIX).split(":")
            found.setdefault(int(trial_id), {})[json.loads(value)["filename"]] = identity
    return found


def test_finished_trials_get_their_figures_once_and_the_study_its_note(command, quick):
    assert command(*quick) == 0
    study = create("s")
    add(study, "complete", 0.9, **ran(0, run_directory="run"))
    add(study, "rejected", excess=5.0, parameters=20_004, reason="too large")
    add(study, "complete", 0.8, **ran(2, run_directory="elsewhere/2"))
    study.ask()
    Path("store").mkdir()
    store = FileSystemArtifactStore("store")
    assert prepared("s", store) == 1
    (first,) = artifacts("s").values()
    assert set(first) == {"learning_curve.png", "confusion.png"}
    for identity in first.values():
        with Image.open(Path("store") / identity) as image:
            assert image.width > 300
    assert prepared("s", store) == 0
    assert artifacts("s") == {1: first}
    text = "".join(str(value) for value in attributes("s").values())
    assert "Best trial: 0 (val_acc 0.9)" in text
    assert "python -m mnist_sweep.train data=mnist_5k seed=0" in text


def test_a_study_without_a_best_trial_says_so():
    create("s")
    assert note(read_study("s", ADDRESS)) == "No complete trial fits the budget."


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
