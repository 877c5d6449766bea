"""The checks themselves: a study without a loss passes, and every kind of loss is one line."""

import os
import shutil
from pathlib import Path

import optuna
import pytest

from mnist_sweep.study_folder import SUMMARY
from mnist_sweep.sweep.storage import Storage
from mnist_sweep.sweep.trials.leases import SWEEP, this_process
from mnist_sweep.sweep.trials.records import TrialRecords
from tools.faults import checks
from tools.faults.course import CHECKPOINT, METRICS, run
from tools.faults.sweeps import Study

EPOCHS = 3


def finish(study, numbers=(0, 1)):
    """Do what a sweep does, in this process."""
    storage = Storage(study.storage, study.folder)
    opened = optuna.create_study(
        study_name=study.name, storage=storage.optuna, direction="maximize"
    )
    records = TrialRecords(opened, storage.optuna)
    for number in numbers:
        trial = opened.ask()
        records.mark(number, SWEEP, {**this_process(), "token": "t"})
        x = trial.suggest_float("x", 0.1, 0.9)
        folder = study.runs / str(number)
        folder.mkdir(parents=True)
        value = run(x, EPOCHS, 0, folder)
        for line in checks.read_metrics(folder):
            trial.report(line["state"], line["epoch"])
        opened.tell(trial, value)
    (study.runs / SUMMARY).write_text("trials: {complete: 2, pruned: 0, failed: 0}\n")
    storage.close()


@pytest.fixture(params=["sqlite", "journal"])
def study(request, tmp_path):
    """A finished study of two trials."""
    made = Study(tmp_path, f"{request.param}:///multirun/studies", trials=2)
    finish(made)
    return made


def test_a_study_without_a_loss_passes(study):
    assert checks.whole(study, EPOCHS) == []


LOSSES = {
    "a run directory": (lambda s: shutil.rmtree(s.runs / "1"), "run directories are [0]"),
    "an epoch": (lambda s: cut(s.runs / "1" / METRICS), "the metrics of trial 1 are"),
    "a checkpoint": (lambda s: (s.runs / "1" / CHECKPOINT).write_text("{"), "is damaged"),
    "a summary": (lambda s: (s.runs / SUMMARY).write_text("a: [b"), f"{SUMMARY} is damaged"),
    "half a file": (lambda s: (s.runs / "0" / ".x.0123abcd.tmp").touch(), "was left behind"),
    "a folder of links": (lambda s: (s.runs / ".best.0123abcd").mkdir(), "was left behind"),
    "an end": (lambda s: damage(s), "multirun/studies"),
}


def cut(path):
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def damage(study):
    shutil.move(study.folder / "multirun/studies", study.folder / "elsewhere")


@pytest.mark.parametrize("kind", LOSSES)
def test_every_kind_of_loss_is_said(study, kind):
    lose, said = LOSSES[kind]
    lose(study)
    assert any(said in line for line in checks.whole(study, EPOCHS))


def test_a_study_that_has_not_reached_its_total_is_said_to_lack_trials(study):
    more = Study(study.folder, study.storage, trials=3)
    assert "2 trials were launched, not 3" in checks.whole(more, EPOCHS)


def test_a_trial_of_other_epochs_is_said_by_its_value_its_reports_and_its_metrics(study):
    said = checks.whole(study, EPOCHS + 1)
    assert sum("trial 0" in line for line in said) == 3


def test_a_journal_that_ends_in_a_line_is_not_clean(tmp_path):
    study = Study(tmp_path, "journal:///multirun/studies", trials=2)
    finish(study)
    path = tmp_path / "multirun/studies"
    path.write_bytes(path.read_bytes() + b'{"op')
    assert list(checks.opens_clean(study)) == ["studies ends in the middle of a line"]


def test_a_finished_trial_that_is_another_now_is_said(study):
    before = checks.finished(study)
    assert list(checks.still_there(before, before)) == []
    (said,) = checks.still_there(before, {0: before[0]})
    assert said.startswith("finished trial 1 was COMPLETE, and is None")


def test_what_was_left_can_be_made_to_look_old(study):
    left = study.runs / ".best.0123abcd"
    left.symlink_to("nowhere")
    checks.age(study)
    assert left.lstat().st_mtime < Path(study.runs).stat().st_mtime - 3600
    os.unlink(left)  # noqa: PTH108
