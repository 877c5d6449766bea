"""A run that was refused leaves nothing, and nothing else is removed."""

from pathlib import Path

import pytest

from mnist_sweep.cli.unstarted import leave_nothing


@pytest.fixture
def refused(tmp_path):
    directory = tmp_path / "outputs" / "day" / "time"
    (directory / ".hydra").mkdir(parents=True)
    for name in (".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log"):
        (directory / name).touch()
    return directory


def test_folders_that_are_empty_then_go_too(refused, tmp_path):
    leave_nothing(refused, "train", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["metrics.jsonl", "result.json", "checkpoints"])
def test_a_run_that_began_stays_whole(refused, tmp_path, name):
    (refused / name).touch()
    before = sorted(refused.rglob("*"))
    leave_nothing(refused, "train", tmp_path)
    assert sorted(refused.rglob("*")) == before


def test_what_else_lies_there_stays(refused, tmp_path):
    (refused / "notes.txt").touch()
    other = refused.parent / "other"
    other.mkdir()
    leave_nothing(refused, "train", tmp_path)
    assert [p.name for p in refused.iterdir()] == ["notes.txt"]
    assert other.exists()


def test_a_directory_that_was_there_before_stays_empty(refused, tmp_path):
    leave_nothing(refused, "train", tmp_path, made=False)
    assert list(refused.iterdir()) == []


def test_folders_outside_the_users_are_not_tidied(refused, tmp_path):
    leave_nothing(refused, "train", Path("/elsewhere"))
    assert not refused.exists()
    assert refused.parent.exists()
