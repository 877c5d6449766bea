"""Runs are found where they are now, and no other study's are taken for them."""

from pathlib import Path

import optuna
import pytest

from mnist_sweep.confirm.candidates import Changes, ConfirmError, of_trials
from mnist_sweep.report import __main__ as entry
from mnist_sweep.sweep import study_store, summary
from mnist_sweep.sweep.study_record import StudyReadError, read_study
from mnist_sweep.sweep.trials.tally import Tally
from tests.report.conftest import add, create, ran

ADDRESS = "sqlite:///multirun/optuna.db"


def swept(name="s", address=ADDRESS, directory=None):
    """A study with two runs in its folder, as its sweep leaves it."""
    Path("multirun").mkdir(exist_ok=True)
    study = create(name, storage=address)
    study_store.identity(study)
    folder = Path(directory or f"multirun/{name}")
    study_store.record_start(study, str(folder), {"words": ["python", "x.py"], "options": []})
    for number in range(2):
        (folder / str(number)).mkdir(parents=True)
        given = ran(number, run_directory=str(folder / str(number)))
        add(study, "complete", 0.9 + number / 100, **given)
    summary.write_results(Tally(study), address, folder)
    return study


def where(name="s", address=ADDRESS):
    record = read_study(name, address)
    found = [Path(row.attributes["run_directory"]) for row in record.rows]
    return found, record.folder


def test_runs_are_where_they_were():
    swept()
    assert where() == ([Path("multirun/s/0"), Path("multirun/s/1")], Path("multirun/s"))


def test_a_renamed_folder_is_recognized_by_its_summary():
    swept()
    Path("multirun/s").rename("multirun/kept for the paper")
    swept("s", "sqlite:///multirun/other.db")  # another study of that name, in its place
    found, folder = where()
    assert folder == Path("multirun/kept for the paper")
    assert found == [folder / "0", folder / "1"]
    assert where("s", "sqlite:///multirun/other.db")[1] == Path("multirun/s")


@pytest.mark.parametrize("there", ["moved", "moved/multirun"])
def test_a_moved_database_has_its_folder_beside_it(there):
    swept()
    Path(there).parent.mkdir(exist_ok=True)
    Path("multirun").rename(there)
    found, folder = where(address=f"sqlite:///{there}/optuna.db")
    assert folder == Path(there, "s")
    assert found == [folder / "0", folder / "1"]


def test_a_study_is_found_from_any_folder(monkeypatch):
    swept()
    address = f"sqlite:///{Path('multirun/optuna.db').resolve()}"
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    found, folder = where(address=address)
    assert folder.resolve() == Path("../multirun/s").resolve()
    assert all(path.is_dir() for path in found)


def test_a_database_within_its_studys_folder_is_moved_with_it():
    Path("out").mkdir()
    swept(address="sqlite:///out/optuna.db", directory="out")
    Path("out").rename("away")
    found, folder = where(address="sqlite:///away/optuna.db")
    assert (found, folder) == ([Path("away/0"), Path("away/1")], Path("away"))


def test_what_is_nowhere_is_what_was_recorded():
    swept()
    Path("multirun/s").rename("gone")
    assert where() == ([Path("multirun/s/0"), Path("multirun/s/1")], None)
    record = read_study("s", ADDRESS)
    assert record.home == Path("multirun/s")
    directories = {row.number: row.attributes["run_directory"] for row in record.best}
    with pytest.raises(ConfirmError, match="trial 1 of study=s ran in multirun/s/1, but that"):
        of_trials("s", directories, 1, Changes())


def test_another_studys_runs_in_its_place_are_not_its_own():
    swept()
    Path("multirun/s").rename("gone")
    swept("s", "sqlite:///multirun/other.db")
    record = read_study("s", ADDRESS)
    assert record.folder is None
    assert [row.attributes.get("run_directory") for row in record.rows] == [None, None]


def test_a_report_lies_in_the_sweeps_directory(capsys):
    swept(directory="multirun/2026-11-25/10-00-00")
    entry.main(entry.Report("s", ADDRESS))
    assert Path("multirun/2026-11-25/10-00-00/report/index.html").exists()
    assert not Path("multirun/s").exists()
    assert "report: multirun/2026-11-25/10-00-00/report/index.html" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../b"])
def test_a_name_that_is_no_folder_makes_none(name):
    optuna.create_study(study_name=name, storage="sqlite:///other.db")
    with pytest.raises(StudyReadError, match=r"cannot be a folder's name; name a folder with to="):
        entry.main(entry.Report(name, "sqlite:///other.db"))
    entry.main(entry.Report(name, "sqlite:///other.db", to="here"))
    assert {path.name for path in Path().iterdir()} == {"other.db", "here"}


def test_a_directory_in_another_tools_study_is_not_written_to():
    study = optuna.create_study(study_name="s", storage="sqlite:///other.db")
    Path("precious").mkdir()
    study.set_user_attr(study_store.DIRECTORY, "precious")
    study.set_user_attr(study_store.ID, "x")
    entry.main(entry.Report("s", "sqlite:///other.db"))
    assert list(Path("precious").iterdir()) == []
    assert Path("multirun/s/report/index.html").exists()


def test_a_report_that_cannot_be_written_is_one_line():
    swept()
    Path("multirun/s/report").write_text("a file")
    with pytest.raises(
        StudyReadError, match=r"cannot be written to: .*; name another with to="
    ) as raised:
        entry.main(entry.Report("s", ADDRESS))
    assert "\n" not in str(raised.value)
