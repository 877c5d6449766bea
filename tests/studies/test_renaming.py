"""A renamed study is the same study, wherever it was cut short."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from mnist_sweep.confirm import conclusion
from mnist_sweep.reproduce import Reproduce, _original
from mnist_sweep.studies import renaming
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.opening import open_to_change
from mnist_sweep.sweep import study_store, summary
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.untrusted_files import parse_config
from tests.report.conftest import add
from tests.studies.conftest import JOURNAL, SQLITE, names, swept


def rename(old="s", new="t", address=SQLITE):
    storage = open_to_change(address)
    try:
        renaming.rename(old, new, storage)
    finally:
        storage.close()


def plain(study):
    """A study's trials but for where they ran."""
    return [
        (
            trial.number,
            trial.state,
            trial.values,
            trial.params,
            trial.distributions,
            trial.intermediate_values,
            trial.datetime_start,
            trial.datetime_complete,
            {**trial.user_attrs, "run_directory": None},
            trial.system_attrs,
        )
        for trial in study.get_trials()
    ]


@pytest.mark.parametrize("address", [SQLITE, JOURNAL])
@pytest.mark.parametrize("new", ["t", "for/the paper"])
def test_the_study_has_its_trials_and_its_folder_under_the_new_name(address, new):
    study = swept(address=address)
    add(study, "pruned", curve=(0.3, 0.4), reason="pruned")
    study.ask()  # left running
    before, identity = plain(study), study_store.identity(study)
    rename(new=new, address=address)
    assert names(address) == [new]
    record = read_study(new, address)
    assert plain(record.study) == before
    assert record.study.user_attrs[study_store.ID] == identity
    assert record.study.user_attrs[study_store.DIRECTORY] == f"multirun/{new}"
    assert record.folder == Path("multirun", new)
    stored = [t.user_attrs.get("run_directory") for t in record.study.get_trials()]
    assert stored[:2] == [f"multirun/{new}/0", f"multirun/{new}/1"]
    assert not Path("multirun/s").exists()


def test_what_the_folder_records_has_the_new_name(confirmed):
    swept()
    folder = Path("multirun/s/confirmation")
    folder.mkdir()
    first = replace(confirmed.standings[0], directory="multirun/s/1")
    conclusion.write_conclusion(replace(confirmed, standings=[first]), folder)
    rename()
    home = Path("multirun/t")
    assert json.loads((home / "1/result.json").read_text())["study"] == "t"
    assert parse_config(home / "1/.hydra/config.yaml").study == "t"
    kept = conclusion.read_conclusions([home])[0].standings[0]
    assert kept.directory == "multirun/t/1"
    text = summary.path_in(home).read_text()
    assert "study_name: t\n" in text
    assert "best_run_directory: multirun/t/1\n" in text
    assert (home / "best/result.json").resolve() == (home / "1/result.json").resolve()


def test_a_run_of_it_is_found_to_be_trained_again():
    swept()
    rename()
    assert _original(Reproduce(study="t", storage=SQLITE)) == ("study", "multirun/t/1")


STEPS = ("copied", "_move", "_relabel", "optuna.delete_study")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_nothing_is_lost_wherever_it_is_cut_short(monkeypatch, step, after):
    before = plain(swept())
    owner, name = (renaming.optuna, "delete_study") if "." in step else (renaming, step)
    real = getattr(owner, name)

    def killed(*arguments, **named):
        if after:
            real(*arguments, **named)
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(SystemExit):
            rename()
    for known in names():
        record = read_study(known, SQLITE)
        assert record.folder is not None
        assert all(Path(row.attributes["run_directory"]).is_dir() for row in record.rows)
    if "s" in names():
        rename()
    assert names() == ["t"]
    assert plain(read_study("t", SQLITE).study) == before
    assert json.loads(Path("multirun/t/1/result.json").read_text())["study"] == "t"


@pytest.mark.parametrize("name", ["1/.hydra/config.yaml", "confirmation/confirmation.json"])
def test_a_damaged_record_is_named_before_anything_is_copied_or_moved(name):
    before = plain(swept())
    damaged = Path("multirun/s", name)
    damaged.parent.mkdir(exist_ok=True)
    whole = damaged.read_bytes() if damaged.exists() else b"{}"
    damaged.write_bytes(b"caf\xe9: {\n")
    with pytest.raises(StudiesError, match=rf"multirun/s/{name} is damaged: .*; mend that file"):
        rename()
    assert (names(), Path("multirun/t").exists()) == (["s"], False)
    damaged.write_bytes(whole)
    rename()
    assert plain(read_study("t", SQLITE).study) == before


def test_a_copy_that_was_cut_short_is_made_again(monkeypatch):
    before = plain(swept(trials=3))
    storage = open_to_change(SQLITE)
    real, count = type(storage.optuna).create_new_trial, [0]
    storage.close()

    def killed(self, *arguments, **named):
        count[0] += 1
        if count[0] == 2:
            raise SystemExit(9)
        return real(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(type(storage.optuna), "create_new_trial", killed)
        with pytest.raises(SystemExit):
            rename()
    assert names() == ["s", "t"]
    rename()
    assert plain(read_study("t", SQLITE).study) == before


def test_a_copy_that_was_swept_since_is_not_thrown_away(monkeypatch):
    swept()
    with monkeypatch.context() as patch:
        patch.setattr(renaming.optuna, "delete_study", lambda **named: None)
        rename()
    add(optuna.load_study(study_name="t", storage=SQLITE), "complete", 0.5)
    with pytest.raises(StudiesError, match="one of them has been swept since"):
        rename()
    assert names() == ["s", "t"]


def test_a_name_that_cannot_be_is_refused_and_nothing_changes():
    swept()
    swept("other")
    Path("multirun/taken").mkdir()
    for new, said in {
        "s": "is its name already",
        "s/inner": "cannot be moved into itself",
        "../x": "must name a directory below multirun/: it has an empty part, . or ..",
        "": "it is empty",
        "other": "is a study already: choose another name|multirun/other is there already",
        "taken": "multirun/taken is there already: choose another",
    }.items():
        with pytest.raises(StudiesError, match=said):
            rename(new=new)
        assert names() == ["other", "s"]
        assert Path("multirun/s/0/result.json").exists()


def test_a_study_of_another_program_keeps_its_trials_and_takes_no_folder():
    storage = open_to_change_new()
    study = optuna.create_study(study_name="theirs", storage=storage.optuna)
    add(study, "complete", 0.5)
    optuna.create_study(study_name="kept", storage=storage.optuna)
    rename("theirs", "mine")
    assert names() == ["kept", "mine"]
    with pytest.raises(StudiesError, match="is a study already"):
        rename("mine", "kept")


def open_to_change_new():
    swept("x")
    storage = open_to_change(SQLITE)
    optuna.delete_study(study_name="x", storage=storage.optuna)
    return storage


def test_a_folder_of_another_name_stays_where_it_is(capsys):
    swept(folder="multirun/2026-03-01")
    rename()
    assert read_study("t", SQLITE).folder == Path("multirun/2026-03-01")
    assert "which has another name, stays" in capsys.readouterr().out


def test_a_study_of_which_no_trial_has_ended_takes_its_folder_along():
    swept()
    summary.path_in(Path("multirun/s")).unlink()
    Path("multirun/s/1/result.json").unlink()  # its process was killed before it wrote one
    shutil.rmtree("multirun/s/best")
    rename()
    assert parse_config(Path("multirun/t/1/.hydra/config.yaml")).study == "t"
    assert read_study("t", SQLITE).folder == Path("multirun/t")


def test_a_folder_with_anything_else_is_not_taken_for_one_that_was_begun(capsys):
    swept()
    summary.path_in(Path("multirun/s")).unlink()
    Path("multirun/s/thesis.tex").touch()
    rename()
    assert Path("multirun/s/thesis.tex").exists()
    assert "no folder of its runs is here" in capsys.readouterr().out
