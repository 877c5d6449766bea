"""Which files of finished trials are removed, of studies whose runs are made by hand."""

import json
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
import torch

from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.kept_files import KeptFiles
from mnist_sweep.sweep.opening import check_given
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.trials.outcomes import RESULT_OF_OURS
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.sweep.trials.tally import Tally
from tests.sweep.conftest import add

HOME = Path("multirun/s")


@pytest.fixture
def study():
    return optuna.create_study(study_name="s", direction="maximize")


def ran(study, status, value=None, /, **result):
    """Add a trial with a run directory, as a finished run leaves it; return the directory."""
    number, _ = add(study, status, value)
    path = HOME / str(number)
    (path / "checkpoints").mkdir(parents=True)
    found = dict.fromkeys(RESULT_OF_OURS) | {"study": "s", "trial": number, "status": str(status)}
    (path / "result.json").write_text(json.dumps(found | result))
    for name in ("last.pt", "best.safetensors"):
        (path / "checkpoints" / name).write_bytes(b"x")
    return path


def kept(path):
    return sorted(file.name for file in (path / "checkpoints").iterdir())


def test_a_finished_trial_needs_no_checkpoint_and_keeps_its_weights(study):
    paths = [ran(study, TrialStatus.COMPLETE, 0.9), ran(study, TrialStatus.PRUNED)]
    KeptFiles(Tally(study), HOME, None).told()
    assert [kept(path) for path in paths] == [["best.safetensors"]] * 2


def test_a_failed_trial_keeps_everything_and_so_does_one_that_may_be_resumed(study):
    failed = ran(study, TrialStatus.FAILED)
    interrupted = HOME / str(study.ask().number)
    (interrupted / "checkpoints").mkdir(parents=True)
    (interrupted / "checkpoints" / "last.pt").write_bytes(b"x")
    KeptFiles(Tally(study), HOME, 1).told()
    assert len(kept(failed)) == 2
    assert kept(interrupted) == ["last.pt"]


def test_weights_go_as_soon_as_enough_others_are_better(study):
    tally = Tally(study)
    files = KeptFiles(tally, HOME, 2)
    paths = []
    for value in (0.5, 0.7, 0.6, 0.7, 0.9):
        paths.append(ran(study, TrialStatus.COMPLETE, value))
        tally.renew()
        files.told()
    pruned = ran(study, TrialStatus.PRUNED)
    tally.renew()
    files.ended()
    # Of the two with 0.7 the first one.
    assert [bool(kept(path)) for path in paths] == [False, True, False, False, True]
    assert kept(pruned) == []
    assert json.loads((paths[0] / "result.json").read_text())["status"] == "complete"


def test_weights_that_were_removed_are_named_with_the_command_that_brings_them_back(study):
    worse, _ = ran(study, TrialStatus.COMPLETE, 0.5), ran(study, TrialStatus.COMPLETE, 0.6)
    KeptFiles(Tally(study), HOME, 1).told()
    with pytest.raises(RecordError) as raised:
        RunDirectory(worse).load_best(torch.device("cpu"))
    assert str(raised.value) == (
        "multirun/s/0/checkpoints/best.safetensors was removed by hydra.sweeper.keep_weights=1; "
        "train it again with python -m mnist_sweep.reproduce run=multirun/s/0"
    )


def test_what_a_killed_sweep_has_left_is_removed_by_the_next_one(study):
    """Between a trial's end in the study and the removal, and between record and removal."""
    worse = ran(study, TrialStatus.COMPLETE, 0.5, weights_removed="hydra.sweeper.keep_weights=1")
    best = ran(study, TrialStatus.COMPLETE, 0.6)
    KeptFiles(Tally(study), HOME, 1).ended()
    assert (kept(worse), kept(best)) == ([], ["best.safetensors"])


@pytest.mark.parametrize("other", [{"study": "t"}, {"trial": 7}, {"status": "running"}])
def test_a_run_that_is_not_this_finished_trial_is_left_alone(study, other):
    path = ran(study, TrialStatus.COMPLETE, 0.5, **other)
    KeptFiles(Tally(study), HOME, None).told()
    assert len(kept(path)) == 2


def test_files_of_another_task_that_have_the_same_names_are_left_alone(study):
    path = ran(study, TrialStatus.COMPLETE, 0.5)
    (path / "result.json").write_text('{"accuracy": 0.5}')
    KeptFiles(Tally(study), HOME, None).told()
    assert len(kept(path)) == 2


def test_a_sweep_continues_where_nothing_can_be_removed(study, monkeypatch, caplog):
    ran(study, TrialStatus.COMPLETE, 0.5)

    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    KeptFiles(Tally(study), HOME, None).told()
    (record,) = caplog.records
    assert record.getMessage().startswith("multirun/s/0 keeps what is not needed any more: multi")


def test_with_several_objectives_whole_fronts_are_kept():
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 10.0], [0.8, 20.0], [0.95, 30.0], [0.7, 40.0], [0.85, 20.0]):
        add(study, TrialStatus.COMPLETE, values, -1.0)
    assert Tally(study).best_numbers(1) == {0, 2}
    assert Tally(study).best_numbers(3) == {0, 2, 4}
    assert Tally(study).best_numbers(4) == {0, 2, 4, 1}
    assert Tally(study).best_numbers(99) == {0, 1, 2, 3, 4}


def test_a_lower_loss_is_better_and_nothing_is_best_of_nothing():
    study = optuna.create_study(direction="minimize")
    assert Tally(study).best_numbers(3) == set()
    for value in (0.3, 0.1, 0.2):
        add(study, TrialStatus.COMPLETE, value)
    assert Tally(study).best_numbers(2) == {1, 2}


def test_it_is_refused_where_jobs_are_not_told_their_trial():
    given = SimpleNamespace(
        task=SimpleNamespace(names_trials=False), settings=Settings(keep_weights=3)
    )
    with pytest.raises(SweepError, match=r"keep_weights=3 needs jobs that are told their trial"):
        check_given(given)
