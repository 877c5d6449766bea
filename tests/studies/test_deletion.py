"""A study is deleted with its own folder, and with nothing else."""

import os
from pathlib import Path

import optuna
import pytest
from filelock import FileLock

from mnist_sweep.studies import deletion
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.opening import Owners, open_to_change
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.trials.leases import SWEEP, this_process
from mnist_sweep.sweep.trials.records import TrialRecords
from tests.studies.conftest import JOURNAL, SQLITE, names, swept


def delete(name="s", address=SQLITE, yes=True):
    storage = open_to_change(address)
    try:
        deletion.delete(name, storage, yes)
    finally:
        storage.close()


@pytest.mark.parametrize("address", [SQLITE, JOURNAL])
def test_a_study_and_its_folder_are_removed_and_the_others_stay(address):
    swept("s", address)
    swept("other", address)
    delete(address=address)
    assert names(address) == ["other"]
    assert not Path("multirun/s").exists()
    assert Path("multirun/other/0/result.json").exists()


def test_without_a_yes_it_says_what_would_go_and_how_large_it_is(capsys):
    swept()
    Path("multirun/s/0/weights").write_bytes(bytes(3_000_000))
    with pytest.raises(StudiesError, match=r"nothing is removed yet: .* yes=true"):
        delete(yes=False)
    said = capsys.readouterr().out
    assert "study s in sqlite:///multirun/optuna.db: 2 trials" in said
    assert "its folder multirun/s: 3.0 MB" in said
    assert names() == ["s"]
    assert Path("multirun/s/0/weights").exists()


def test_what_links_lead_to_stays():
    swept()
    Path("mine").mkdir()
    Path("mine/file").write_text("x")
    Path("multirun/s/linked").symlink_to(Path("mine").resolve())
    Path("multirun/s/0/linked").symlink_to(Path("mine").resolve())
    delete()
    assert Path("mine/file").read_text() == "x"
    assert not Path("multirun/s").exists()


def test_a_folder_that_is_a_link_is_not_followed():
    swept()
    Path("multirun/s").rename("elsewhere")
    Path("multirun/s").symlink_to(Path("elsewhere").resolve())
    with pytest.raises(StudiesError, match="is a link"):
        delete()
    assert Path("elsewhere/0/result.json").exists()
    assert names() == ["s"]


def test_a_running_study_is_not_deleted():
    study = swept()
    trial = study.ask()
    storage = open_to_change(SQLITE)
    TrialRecords(optuna.load_study(study_name="s", storage=storage.optuna), storage.optuna).mark(
        trial.number, SWEEP, {**this_process(), "token": "t"}
    )
    with pytest.raises(StudiesError, match="is being swept, trial 2 is running"):
        delete()
    assert Path("multirun/s/0/result.json").exists()


def test_another_machines_trial_is_watched_until_it_is_known_to_be_dead(capsys):
    study = swept()
    trial = study.ask()
    storage = open_to_change(SQLITE)
    records = TrialRecords(
        optuna.load_study(study_name="s", storage=storage.optuna), storage.optuna
    )
    records.mark(trial.number, SWEEP, {"host": "x", "pid": 1, "started": 0.0, "token": "t"})
    now = [0.0]
    owners = Owners(study, 60, sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    owners.monitor.clock = lambda: now[0]
    owners.check()
    assert now[0] == 60
    assert "watching for 60 s" in " ".join(capsys.readouterr().out.split())


def test_a_study_that_is_being_confirmed_is_not_deleted():
    swept()
    Path("multirun/s/confirmation").mkdir()
    with (
        FileLock("multirun/s/confirmation/.lock"),
        pytest.raises(StudiesError, match="another program is at work in multirun/s/confirmation"),
    ):
        delete()
    assert Path("multirun/s/0/result.json").exists()


@pytest.mark.parametrize("identity", ["unknown", None, "x", 5])
def test_a_folder_that_a_foreign_study_names_stays(identity):
    study = swept()
    Path("mine").mkdir()
    Path("mine/file").write_text("x")
    study.set_user_attr(study_store.ID, identity)
    study.set_user_attr(study_store.DIRECTORY, str(Path("mine").resolve()))
    delete()
    assert names() == []
    assert Path("mine/file").read_text() == "x"
    assert Path("multirun/s/0/result.json").exists()


def test_other_studies_in_the_folder_are_not_removed_with_it():
    swept("a")
    swept("a/b")
    with pytest.raises(StudiesError, match=r"holds the runs of another study as well \(a/b\)"):
        delete("a")
    delete("a/b")
    delete("a")
    assert names() == []
    assert not Path("multirun/a").exists()


def test_the_folder_that_the_command_is_given_in_stays():
    swept(folder=Path.cwd() / "multirun" / "s")
    address = f"sqlite:///{Path('multirun/optuna.db').resolve()}"
    os.chdir("multirun/s/0")
    with pytest.raises(StudiesError, match="holds the folder that you are in"):
        delete(address=address)


def test_a_folder_with_the_storage_in_it_stays():
    Path("multirun/s").mkdir(parents=True)
    swept(address="sqlite:///multirun/s/optuna.db")
    with pytest.raises(StudiesError, match=r"holds the storage itself: move optuna.db out of it"):
        delete(address="sqlite:///multirun/s/optuna.db")


def test_the_runs_of_a_copied_study_stay_for_the_other(capsys):
    swept()
    copy = "a\n\x1b[2Jcopy"  # a name that only another program gives
    optuna.copy_study(
        from_study_name="s", from_storage=SQLITE, to_storage=SQLITE, to_study_name=copy
    )
    delete()
    assert names() == [copy]
    assert Path("multirun/s/0/result.json").exists()
    assert r"its folder is study a \x1b[2Jcopy's as well: it stays" in capsys.readouterr().out


def test_what_was_cut_short_is_finished_by_the_same_command():
    swept()
    held = Path("multirun/s/1")
    real = deletion.shutil.rmtree

    def broken(path, **given):
        if path == held:
            raise PermissionError(13, "Permission denied", str(path))
        real(path, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deletion.shutil, "rmtree", broken)
        with pytest.raises(StudiesError, match="the study is kept, and the same command"):
            delete()
    assert names() == ["s"]
    delete()
    assert names() == []
    assert not Path("multirun/s").exists()


def test_a_study_that_is_not_there_is_named_with_those_that_are():
    swept()
    with pytest.raises(StudiesError, match=r"delete=x is not in sqlite:.*; it has s"):
        delete("x")
