"""A study's figures as a file."""

import json
from pathlib import Path

import optuna
import pytest

from mnist_sweep.results import __main__ as entry
from mnist_sweep.results.summary import ResultsError, of_arms
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS, create, create_usual
from tests.report.test_arms import BY_SEED, grid


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def swept(name="arms"):
    study = create(name)
    drawn = "CategoricalDistribution(choices=(16, 32, 64))"
    settings = {"search": "ablation/batch_size", "data.root": "/home/me", "batch_size": drawn}
    definition = {"search": {"settings": settings}, "objective": "val_acc"}
    study.set_user_attr(studies.DEFINITION, definition)
    run = Path("multirun/arms/0")
    run.mkdir(parents=True)
    result = {
        "data": {"name": "mnist", "reason": "found in /home/me/data", "fingerprint": "abc"},
        "processor": "a processor",
        "versions": {"torch": "2"},
        "hostname": "mine",
        "max_epochs": 20,
    }
    (run / "result.json").write_text(json.dumps(result))
    known = {"parameters": 10, "seconds": 2.0, "run_directory": str(run), studies.DATA: "abc"}
    grid(study, BY_SEED, known)
    return read_study(name, ADDRESS)


def test_every_seeds_value_is_there_with_the_means_and_differences():
    found = of_arms(swept())
    assert [arm["settings"] for arm in found["arms"]] == [
        {"batch_size": size} for size in (16, 64, 32)
    ]
    first, _, last = found["arms"]
    assert first["values"] == {"0": 0.991, "1": 0.993, "2": 0.992}
    assert first["mean"] == pytest.approx(0.992)
    assert first["low"] < first["mean"] < first["high"]
    assert first["first_is_above_by"] is None
    assert last["first_is_above_by"]["mean"] == pytest.approx(0.007)
    assert found["seconds"] == 18.0
    assert found["trials"] == {"complete": 9}
    assert (found["objective"], found["direction"]) == ("val_acc", "maximize")


def test_what_the_runs_have_in_common_is_said_without_a_place_of_this_machine():
    found = of_arms(swept())
    assert found["runs"]["processor"] == "a processor"
    assert found["runs"]["data"] == {"name": "mnist", "fingerprint": "abc"}
    assert found["runs"]["max_epochs"] == 20
    assert found["command"] == "python -m mnist_sweep.train -m search=ablation/batch_size"
    text = json.dumps(found)
    assert "/home" not in text
    assert "mine" not in text


def test_the_command_writes_it_and_says_where(capsys):
    swept()
    entry.main(entry.Results("arms", ADDRESS, "docs/results/arms.json"))
    assert capsys.readouterr().out == "3 configurations of study arms: docs/results/arms.json\n"
    assert json.loads(Path("docs/results/arms.json").read_text())["schema"] == 1


def test_a_study_without_an_axis_of_seeds_is_refused():
    usual = create_usual()
    with pytest.raises(ResultsError, match="study usual has no two configurations with two seeds"):
        of_arms(read_study(usual, ADDRESS))
