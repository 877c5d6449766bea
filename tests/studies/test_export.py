"""An exported study opens where nothing else of it is."""

import os
import zipfile
from pathlib import Path

import optuna
import pytest

from mnist_sweep.files import FileError
from mnist_sweep.report import __main__ as report
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.export import export
from mnist_sweep.studies.listing import read_entries
from mnist_sweep.sweep.read_only import open_to_read
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import add
from tests.studies.conftest import JOURNAL, SQLITE, swept

THERE = "sqlite:///s/optuna.db"


def exported(to="s.zip", name="s", address=SQLITE):
    export(name, address, open_to_read(address), to)
    return Path(to)


def opened(path):
    """Unpack it in an empty folder, and stay there."""
    Path("there").mkdir()
    with zipfile.ZipFile(path) as archive:
        archive.extractall("there")
    os.chdir("there")


@pytest.mark.parametrize("address", [SQLITE, JOURNAL])
def test_a_report_on_it_can_be_made_elsewhere(address):
    swept("s", address)
    swept("other", address)
    before = read_study("s", address)
    opened(exported(address=address))
    record = read_study("s", THERE)
    assert record.folder == Path("s")
    assert [row.values for row in record.rows] == [row.values for row in before.rows]
    assert [row.attributes["run_directory"] for row in record.rows] == ["s/0", "s/1"]
    assert [entry.name for entry in read_entries(open_to_read(THERE), THERE)] == ["s"]
    report.main(report.Report("s", THERE))
    assert "91.0%" in Path("s/report/report.md").read_text(encoding="utf-8")


def test_a_record_in_another_encoding_is_exported_as_it_is_but_for_passwords():
    swept()
    record = Path("multirun/s/1/.hydra/config.yaml")
    record.write_bytes(b"study: s  # caf\xe9\r\nstorage: postgresql://me:secret@host/db\n")
    with zipfile.ZipFile(exported()) as archive:
        found = archive.read("s/1/.hydra/config.yaml")
    assert found.startswith(b"study: s  # caf\xe9\r\nstorage: postgresql://me:")
    assert b"secret" not in found


def test_an_exported_study_can_be_exported_again():
    swept()
    opened(exported())
    exported("again.zip", address=THERE)
    with zipfile.ZipFile("again.zip") as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    assert names[0] == "s/optuna.db"


def test_links_and_locks_are_left_out():
    swept()
    Path("secret").write_text("x")
    Path("multirun/s/link").symlink_to(Path("secret").resolve())
    Path("multirun/s/.lock").touch()
    with zipfile.ZipFile(exported()) as archive:
        names = set(archive.namelist())
    assert names == {
        "s/optuna.db",
        "s/optimization_results.yaml",
        *(f"s/{n}/{file}" for n in (0, 1) for file in ("result.json", ".hydra/config.yaml")),
    }


def test_passwords_of_addresses_do_not_leave():
    study = swept()
    secret = "postgresql://me:hunter2@db/x"
    add(study, "complete", 0.5, overrides=[f"tracking.mlflow.uri={secret}", "seed=1"])
    study.set_user_attr("definition", {"search": {"settings": {"uri": secret}}})
    config = Path("multirun/s/0/.hydra/config.yaml")
    config.write_text(f"uri: {secret}\nnote: 'pass=word'\n")
    path = exported()
    assert b"hunter2" in Path("multirun/optuna.db").read_bytes() + _wal()
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert not [name for name, content in held.items() if b"hunter2" in content]
    assert b"pass=word" in held["s/0/.hydra/config.yaml"]
    assert b"seed=1" in held["s/optuna.db"]


def _wal():
    path = Path("multirun/optuna.db-wal")
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize(
    ("to", "error", "said"),
    [
        ("s.tar", StudiesError, "to=s.tar must end in .zip"),
        ("there.zip", StudiesError, "to=there.zip is there already"),
        ("multirun/s/x.zip", StudiesError, "lies in the study's folder, multirun/s"),
        ("no/such/x.zip", FileError, "to=no/such/x.zip cannot be written"),
    ],
)
def test_a_place_that_cannot_be_is_refused(to, error, said):
    swept()
    Path("there.zip").touch()
    with pytest.raises(error, match=said):
        exported(to)
    assert Path("there.zip").read_bytes() == b""


def test_a_study_without_a_folder_here_is_its_database_alone(capsys):
    Path("multirun").mkdir()
    study = optuna.create_study(study_name="..", storage=SQLITE)
    add(study, "complete", 0.5)
    exported("theirs.zip", "..")
    assert "no folder of its runs is here" in capsys.readouterr().out
    with zipfile.ZipFile("theirs.zip") as archive:
        assert archive.namelist() == ["study/optuna.db"]


def test_a_checkpoint_is_read_before_the_metrics_that_it_must_not_be_ahead_of():
    swept("s", SQLITE)
    run = Path("multirun/s/0")
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run / "checkpoints" / "last.pt").write_bytes(b"state")
    (run / "metrics.jsonl").write_text("{}\n")
    exported()
    with zipfile.ZipFile("s.zip") as archive:
        names = [Path(name).name for name in archive.namelist()]
    assert names.index("last.pt") < names.index("metrics.jsonl")
