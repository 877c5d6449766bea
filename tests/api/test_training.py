"""A run trained from Python."""

import errno
import json
import logging
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from mnist_sweep import compose, load, train
from mnist_sweep.api.training import result_of
from mnist_sweep.config import ConfigError
from mnist_sweep.errors import UserError
from mnist_sweep.files import FileError
from mnist_sweep.models.cost import BudgetExceeded
from mnist_sweep.run.console import Narrator
from mnist_sweep.run.directory import RecordError
from mnist_sweep.training.loop import Diverged

QUICK = ["model=linear", "data=mnist_5k", "tracking=none", "epochs=2", "batch_size=256"]
ALONE = [*QUICK, "threads=1"]


def test_a_run_has_the_figures_and_the_record_of_the_command_lines(command, quick):
    result = train(*QUICK, directory="here", quiet=True)
    assert command(*quick) == 0
    for name in ("metrics.jsonl", "result.json", ".hydra/config.yaml", ".hydra/overrides.yaml"):
        assert Path("here", name).exists()
    again = result_of(Path("run"))
    assert (result.val_acc, result.val_loss) == (again.val_acc, again.val_loss)
    assert (result.test_acc, result.test_loss) == (again.test_acc, again.test_loss)
    assert (result.status, result.parameters, len(result.epochs)) == ("complete", 7_850, 2)
    assert result.record["model"] == again.record["model"] == "linear"
    assert result.directory == Path("here")
    assert 0.5 < result.val_acc < 1
    assert set(result.epochs[0]) >= {"epoch", "lr", "train_loss", "val_acc", "seconds"}


def test_a_config_can_be_given_instead_of_overrides():
    config = compose(*QUICK)
    config.epochs = 1
    result = train(config, directory="here", quiet=True)
    assert len(result.epochs) == 1
    assert OmegaConf.load("here/.hydra/config.yaml").epochs == 1
    assert config.epochs == 1


def test_the_process_is_left_as_it_was(capsys):
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    log = logging.getLogger("mnist_sweep")
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    settings = log.handlers[:], log.level, log.propagate, torch.get_num_threads()
    train(*QUICK, "threads=2", "deterministic=true", directory="here")
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert (log.handlers[:], log.level, log.propagate, torch.get_num_threads()) == settings
    assert not torch.are_deterministic_algorithms_enabled()
    said = Path("here/train.log").read_text()
    assert "epoch 2/2" in capsys.readouterr().out
    assert "epoch 2/2" in said


def test_quiet_is_quiet(capfd):
    train(*QUICK, directory="here", quiet=True)
    assert capfd.readouterr() == ("", "")


def test_two_runs_of_one_second_have_directories_of_their_own():
    first, second = (train(*QUICK, "epochs=1", quiet=True) for _ in range(2))
    assert first.directory != second.directory
    assert first.directory.parts[0] == second.directory.parts[0] == "outputs"


@pytest.fixture
def stopped(monkeypatch):
    """Return a function that trains a run in a directory, and stops it after its first epoch."""

    def stop(self, figures):
        raise KeyboardInterrupt

    def train_and_stop(*settings, directory):
        with monkeypatch.context() as patch:
            patch.setattr(Narrator, "epoch", stop)
            with pytest.raises(KeyboardInterrupt):
                train(*settings, directory=directory, quiet=True)

    return train_and_stop


def test_a_stopped_run_is_resumed(stopped):
    whole = train(*ALONE, directory="whole", quiet=True)
    stopped(*ALONE, directory="here")
    resumed = train("resume=here", quiet=True)
    assert (resumed.directory, len(resumed.epochs)) == (Path("here"), 2)
    assert (resumed.val_loss, resumed.test_loss) == (whole.val_loss, whole.test_loss)


def test_a_run_is_resumed_where_its_teacher_is_elsewhere(stopped, finished, monkeypatch):
    shutil.copytree(finished, "teacher")
    taught = [*ALONE, "distill.teacher=teacher"]
    whole = train(*taught, directory="whole", quiet=True)
    stopped(*taught, directory="here")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    with pytest.raises(ConfigError, match=r"distill\.teacher=teacher is no directory here"):
        train("resume=../here", quiet=True)
    with pytest.raises(
        ConfigError, match=r"=\.\./whole has other weights than when this run began"
    ):
        train("resume=../here", "distill.teacher=../whole", quiet=True)
    resumed = train("resume=../here", "distill.teacher=../teacher", quiet=True)
    assert (resumed.val_loss, resumed.test_loss) == (whole.val_loss, whole.test_loss)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ("null", "teacher", "resume=here, which has no teacher: leave it out"),
        ("teacher", "null", r"resume=here, which has a teacher \(teacher\): leave it out"),
    ],
)
def test_a_resumed_run_neither_gets_nor_loses_a_teacher(stopped, finished, then, now, said):
    shutil.copytree(finished, "teacher")
    stopped(*ALONE, f"distill.teacher={then}", directory="here")
    with pytest.raises(ConfigError, match=rf"distill\.teacher={now} cannot be given with {said}"):
        train("resume=here", f"distill.teacher={now}", quiet=True)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        (["model=resnet"], BudgetExceeded, "model=resnet has 77,754 parameters"),
        (["epochs=0"], ConfigError, "epochs must be at least 1, but got 0"),
        (["epochs=abc"], ConfigError, "epochs: Value 'abc'"),
        (["search=pareto"], ConfigError, "search=pareto has an effect only in a sweep"),
        (["dry_run=true"], ConfigError, "dry_run=True is for the command line"),
        (["study=s", "trial=1"], ConfigError, "this is trial 1 of study s"),
        (["resume=nowhere"], ConfigError, "resume=nowhere is not a run directory"),
        (["resume=nowhere", "epochs=2"], ConfigError, "so epochs=2 cannot be given with it"),
        (["model.bogus=1"], ConfigError, "Could not override 'model.bogus'"),
    ],
)
def test_what_is_no_run_is_one_line_and_leaves_nothing(settings, kind, message):
    with pytest.raises(kind, match=message) as raised:
        train(*settings, quiet=True)
    assert "\n" not in str(raised.value)
    assert list(Path().iterdir()) == []


NO_PATHS = [
    ("a" * 300, "a" * 60 + "..." + "a" * 60, "File name too long (choose a shorter name)"),
    ("a\0b", r"a\x00b", "embedded null byte"),
]


@pytest.mark.parametrize(("given", "shown", "said"), NO_PATHS)
def test_what_cannot_be_a_path_is_refused_in_one_line(given, shown, said):
    with pytest.raises(FileError) as raised:
        train(*QUICK, directory=given, quiet=True)
    assert str(raised.value) == f"directory={shown} cannot be read: {said}"
    config = compose(*QUICK)
    config.distill.teacher = given
    with pytest.raises(UserError) as raised:
        train(config, directory="here", quiet=True)
    assert str(raised.value) == f"distill.teacher={shown} cannot be read: {said}"
    assert list(Path().iterdir()) == []


def test_folders_of_somebody_else_are_refused_in_one_line(monkeypatch):
    plain = os.stat

    def forbidden(path, *arguments, **options):
        if str(path).startswith("theirs"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return plain(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", forbidden)
    said = r"=theirs/run cannot be read: Permission denied \(change its permissions, or choose"
    with pytest.raises(FileError, match="resume" + said):
        train("resume=theirs/run", quiet=True)
    with pytest.raises(FileError, match="directory" + said):
        train(*QUICK, directory="theirs/run", quiet=True)
    with pytest.raises(FileError, match="path" + said):
        load("theirs/run")


def test_a_run_whose_record_lacks_what_a_result_has_is_refused(finished):
    run = Path(shutil.copytree(finished, "run"))
    record = json.loads((run / "result.json").read_text())
    del record["seconds"], record["reason"]
    (run / "result.json").write_text(json.dumps(record))
    with pytest.raises(
        RecordError, match=r"run/result\.json is damaged: it has no reason, seconds"
    ):
        train("resume=run", quiet=True)
    (run / "result.json").unlink()
    with pytest.raises(RecordError, match=r"run has no result\.json: the run has not begun"):
        result_of(run)


def test_a_directory_of_the_users_stays_where_a_run_is_refused():
    Path("mine").mkdir()
    with pytest.raises(BudgetExceeded):
        train("model=resnet", directory="mine", quiet=True)
    assert list(Path("mine").iterdir()) == []
    Path("mine/.hydra").mkdir()
    Path("mine/train.log").write_text("kept\n")
    with pytest.raises(BudgetExceeded):
        train("model=resnet", directory="mine", quiet=True)
    assert Path("mine/train.log").read_text().startswith("kept\n")


def test_a_directory_that_holds_a_run_is_refused():
    train(*QUICK, directory="here", quiet=True)
    before = Path("here/.hydra/config.yaml").read_text()
    with pytest.raises(RecordError, match=r"here already holds a run: .* choose another directory"):
        train("model=mlp", directory="here", quiet=True)
    assert Path("here/.hydra/config.yaml").read_text() == before
    with pytest.raises(ConfigError, match="writes to that directory: leave directory=there out"):
        train("resume=here", directory="there", quiet=True)


def test_a_config_and_overrides_together_are_refused():
    config = compose(*QUICK)
    with pytest.raises(ConfigError, match="give a config or overrides, not both"):
        train(config, "epochs=2")
    config.resume = "here"
    with pytest.raises(ConfigError, match="a config with resume=here is no run of its own"):
        train(config)


def test_a_run_that_diverges_says_so():
    with pytest.raises(Diverged, match="diverged") as raised:
        train(*QUICK, "optimizer=sgd", "optimizer.lr=1e38", directory="here", quiet=True)
    assert isinstance(raised.value, UserError)
