import json
from pathlib import Path

import pytest

from mnist_sweep.run import dry_run

SMALL = ["model=linear", "data=mnist_5k", "epochs=3", "batch_size=400"]


@pytest.fixture(autouse=True)
def _briefly(monkeypatch):
    monkeypatch.setattr(dry_run, "SECONDS", 0.1)


def test_a_single_run_says_what_it_would_be_and_leaves_nothing(command, tmp_path, capsys):
    assert command("dry_run=true", *SMALL) == 0
    said = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert "model: linear, 7,850 parameters (budget 19,999)" in said
    assert "training: 3 epochs of 10 steps of batch 400; seed 0" in said
    assert "data: mnist_5k, 4,000 train / 500 validation / 500 test images" in said
    assert " an epoch (" in said
    assert " MB in outputs/" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80


def test_it_is_data_where_that_is_asked_for(command, capsys):
    assert command("dry_run=json", *SMALL, "hydra.run.dir=here") == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["parameters"], plan["steps"], plan["directory"]) == (7850, 10, "here")
    assert plan["seconds"] > 3 * min(plan["epoch_seconds"])
    assert not Path("here").exists()


def test_a_run_that_is_not_dry_runs_as_before(command, quick):
    assert command(*quick, "dry_run=false") == 0
    assert Path("run/result.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dry_run=maybe"], "dry_run must be one of false, true, json, but got 'maybe'"),
        (["dry_run=true", "study=s", "trial=1"], "only its sweep may run it"),
        (["dry_run=true", "optimizer.lr=-1"], "Invalid learning rate"),
        (["dry_run=true", "hydra.sweeper.n_trials=3"], "add -m"),
    ],
)
def test_what_a_run_refuses_is_refused_in_one_line(command, tmp_path, capsys, words, message):
    assert command(*SMALL, *words) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_begun_cannot_be_planned(command, capsys, finished):
    assert command("dry_run=true", f"resume={finished}") == 1
    assert "and dry_run plans a new one" in capsys.readouterr().err
    assert command("dry_run=true", *SMALL, f"hydra.run.dir={finished}") == 1
    assert "already holds a run" in capsys.readouterr().err
