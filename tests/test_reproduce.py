"""A recorded run trained again."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from mnist_sweep import reproduce, train
from mnist_sweep.cli import arguments
from mnist_sweep.config import ConfigError
from mnist_sweep.reproduce import Reproduce, ReproduceError
from tests.conftest import hydra_alone, read_json_lines


@pytest.fixture
def run(finished):
    """A copy of a finished run, to be changed."""
    return Path(shutil.copytree(finished, "original"))


@pytest.fixture(scope="module")
def pupil(finished, tmp_path_factory):
    """A run in `run` that was taught by the one in `original`; `taught` copies both."""
    folder = tmp_path_factory.mktemp("pupil")
    shutil.copytree(finished, folder / "original")
    words = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=1", "batch_size=256"]
    with pytest.MonkeyPatch.context() as patch, hydra_alone():
        patch.chdir(folder)
        words += ["distill.teacher=original", "hydra.run.dir=run"]
        patch.setattr(sys, "argv", ["train", *words])
        train.main()
    return folder


@pytest.fixture
def taught(pupil):
    """A run in `run` that was taught by the one in `original`; to be changed."""
    shutil.copytree(pupil, ".", dirs_exist_ok=True)


def change(path, **values):
    found = json.loads((path / "result.json").read_text())
    (path / "result.json").write_text(json.dumps(found | values))


def code(**settings):
    """Return the exit code of the command with these settings."""
    try:
        reproduce.main(Reproduce(**settings))
    except SystemExit as stop:
        return stop.code
    return 0


def test_a_run_is_trained_again_bit_for_bit_and_left_as_it_is(run, capsys):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert code(run="original") == 0
    said = capsys.readouterr().out
    assert "identical, bit for bit: lr, train_loss" in said
    assert "2 epochs" in said
    assert "the same versions, threads" in said
    again = Path("outputs/reproduce/original/1")
    assert json.loads((again / "reproduction.json").read_text())["identical"]
    assert (again / "result.json").exists()
    assert (again / ".hydra/config.yaml").exists()
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_what_differs_is_said_epoch_by_epoch_with_another_exit_code(run, capsys):
    lines = read_json_lines(run / "metrics.jsonl")
    lines[1]["val_acc"] -= 0.002
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    versions = json.loads((run / "result.json").read_text())["versions"]
    change(run, versions={**versions, "torch": "1.0"})
    assert code(run="original") == 2
    said = capsys.readouterr().out.splitlines()
    row = next(line for line in said if line.split()[:1] == ["2"])
    assert row.split() == ["2", "=", "=", "=", "=", "+2.0e-03"]
    assert "not reproduced bit for bit" in said
    assert any(line.startswith("  torch: 1.0 then, ") for line in said)
    assert code(run="original", tolerance=0.01) == 0
    assert "reproduced within the tolerance of 0.01" in capsys.readouterr().out


def test_a_run_that_was_cut_short_is_reproduced_as_far_as_it_came(run, capsys):
    """With the schedule of its whole length, and without a look at test."""
    first = (run / "metrics.jsonl").read_text().splitlines()[0]
    (run / "metrics.jsonl").write_text(first + "\n")
    (run / "checkpoints" / "best.safetensors").unlink()
    result = json.loads((run / "result.json").read_text())
    for figure in ("test_loss", "test_acc", "val_loss", "val_acc", "best_epoch"):
        del result[figure]
    (run / "result.json").write_text(json.dumps(result | {"status": "interrupted"}))
    assert code(run="original") == 0
    assert "of 1 epoch, no weights to compare" in capsys.readouterr().out
    again = json.loads(Path("outputs/reproduce/original/1/result.json").read_text())
    assert (again["status"], again["reason"]) == ("pruned", "stopped after epoch 1")
    assert "test_acc" not in again


def test_a_run_that_diverged_is_reproduced_to_where_it_did(command, quick, capsys):
    diverging = ["model=mlp", "model.hidden=12", "optimizer=sgd", "optimizer.lr=1e30"]
    assert command(*quick, *diverging, "hydra.run.dir=original") == 1
    recorded = read_json_lines(Path("original/metrics.jsonl"))
    assert recorded[-1]["train_loss"] is None
    assert code(run="original") == 0
    assert "identical, bit for bit" in capsys.readouterr().out


def test_each_call_has_a_folder_of_its_own_and_a_named_one_must_be_empty(run):
    code(run="original"), code(run="original")
    assert sorted(path.name for path in Path("outputs/reproduce/original").iterdir()) == ["1", "2"]
    with pytest.raises(ReproduceError, match="to=original is not empty: choose another folder"):
        code(run="original", to="original")


def test_it_is_trained_with_the_threads_that_it_had(run):
    change(run, threads=2)
    try:
        code(run="original")
    finally:
        torch.set_num_threads(1)
    again = json.loads(Path("outputs/reproduce/original/1/result.json").read_text())
    assert again["threads"] == 2


@pytest.mark.slow
def test_a_trial_of_a_sweep_is_trained_again_as_a_single_run_without_test(command, capsys):
    words = ["-m", "model=linear", "data=mnist_5k", "epochs=1", "tracking=none", "batch_size=256"]
    sweep = ["hydra.sweeper.study_name=s", "hydra.sweeper.n_trials=2", "hydra/launcher=basic"]
    assert command(*words, *sweep, "search=command_line", "optimizer.lr=interval(0.001,0.01)") == 0
    assert code(study="s", trial=1) == 0
    assert code(study="s") == 0  # the best
    assert capsys.readouterr().out.count("identical, bit for bit") == 2
    assert not Path("multirun/s/2").exists()
    result = json.loads(Path("outputs/reproduce/multirun-s-1/1/result.json").read_text())
    assert result["trial"] is None
    assert "test_acc" not in result
    with pytest.raises(ReproduceError, match="trial=7: study=s has 2 trials, numbered from 0"):
        code(study="s", trial=7)


def test_a_run_whose_teacher_has_moved_is_told_where_it_is(taught, capsys):
    Path("original").rename("elsewhere")
    assert code(run="run", teacher="elsewhere") == 0
    assert "identical, bit for bit" in capsys.readouterr().out
    with pytest.raises(ReproduceError) as raised:
        code(run="elsewhere", teacher="run")
    assert str(raised.value) == (
        "teacher=run has no effect, since run=elsewhere had none: leave it out"
    )


@pytest.mark.parametrize("to", [None, "new/folder", "there"])
def test_a_run_that_is_refused_leaves_nothing(taught, to):
    Path("original").rename("elsewhere")
    Path("there").mkdir()
    before = sorted(Path().rglob("*"))
    with pytest.raises(ConfigError, match=r"distill\.teacher=original is no directory here"):
        code(run="run", to=to)
    assert sorted(Path().rglob("*")) == before


def test_another_teacher_is_among_what_differs(taught, command, quick, capsys):
    assert command(*quick, "epochs=1", "hydra.run.dir=other") == 0
    assert code(run="run", teacher="other") == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  teacher: ")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give either run=, a run directory, or study="),
        ({"run": "a", "study": "b"}, "give either run="),
        ({"run": "a", "trial": 3}, "trial=3 is of a study: give study= with it"),
        ({"run": "a", "tolerance": -1.0}, "tolerance cannot be negative, but got -1.0"),
        ({"run": "a", "tolerance": float("nan")}, "tolerance cannot be negative, but got nan"),
    ],
)
def test_a_command_that_says_no_run_is_refused(settings, said):
    with pytest.raises(arguments.ArgumentError, match=said):
        code(**settings)


def test_what_is_no_run_or_has_no_epoch_is_refused_and_leaves_nothing(run):
    with pytest.raises(ConfigError, match="run=nowhere is not a run directory"):
        code(run="nowhere")
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(ReproduceError, match="run=original has finished no epoch"):
        code(run="original")
    assert not Path("outputs").exists()


def test_a_run_of_a_gpu_says_what_it_needs_where_there_is_none(run, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    change(run, device="NVIDIA H100")
    with pytest.raises(ReproduceError, match=r"trained on NVIDIA H100.*give device=cpu"):
        code(run="original")
    assert code(run="original", device="cpu") == 0
