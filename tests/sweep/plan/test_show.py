"""A dry run as it is typed: what it says, and that nothing is there afterwards that was not."""

import json
from pathlib import Path

import hydra
import optuna
import pytest
from hydra.core.global_hydra import GlobalHydra

from mnist_sweep.sweep.study_search import DEFINITION
from mnist_sweep.sweep.trials.status import TrialStatus
from tests.conftest import open_database
from tests.sweep.conftest import add

# Nothing is counted and nothing timed: quick, and enough where neither is asked about.
PLAIN = [
    "-m",
    "dry_run=true",
    "data=mnist_5k",
    "hydra.sweeper.gate=null",
    "hydra.sweeper.probe=null",
]
NAME = "schedule-enhanced-mnist_5k"
# The same with one setting to draw, quicker still, where it is not asked which there are.
LR = "optimizer.lr=interval(0.001,0.01)"
SMALL = [*PLAIN, "search=command_line", LR, f"hydra.sweeper.study_name={NAME}"]


def contents(folder):
    """Every file with its bytes, every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def recorded(trials, name=NAME, **attributes):
    """A database with a study of some complete trials."""
    storage = open_database("sqlite:///multirun/optuna.db")
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize")
    for key, value in attributes.items():
        study.set_user_attr(key, value)
    for _ in range(trials):
        add(study, TrialStatus.COMPLETE, 0.9, epochs=2, max_epochs=4, seconds=50.0)
    return study


def test_a_dry_run_leaves_nothing_behind(command, tmp_path, capsys):
    assert command(*SMALL) == 0
    assert contents(tmp_path) == {}
    assert "new: 20 trials" in capsys.readouterr().out


def test_a_study_is_read_without_a_change_to_its_database(command, tmp_path, capsys):
    recorded(7)
    before = contents(tmp_path)
    assert command(*SMALL) == 0
    assert contents(tmp_path) == before
    assert "resumed: 7 of 20 trials have ended, 13 left" in capsys.readouterr().out


def test_optuna_says_nothing_of_studies_that_only_the_plan_makes(command, capfd):
    recorded(7)
    optuna.logging.set_verbosity(optuna.logging.INFO)
    capfd.readouterr()
    assert command(*SMALL) == 0
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
    assert "study created" not in capfd.readouterr().err


def test_a_study_that_is_complete_says_what_more_needs(command, capsys):
    recorded(7)
    assert command(*SMALL, "hydra.sweeper.n_trials=7") == 0
    assert "all of its 7 trials have ended: raise hydra.sweeper.n_trials" in capsys.readouterr().out


def test_another_search_under_the_studys_name_is_refused_as_by_the_sweep(command, tmp_path, capsys):
    recorded(1, **{DEFINITION: {"search": {"settings": {"batch_size": "64"}}, "budget": None}})
    before = contents(tmp_path)
    assert command(*SMALL) == 1
    assert "exists with another search" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_runs_of_another_study_in_its_folder_are_refused_as_by_the_sweep(command, capsys):
    Path("multirun", NAME, "0").mkdir(parents=True)
    assert command(*SMALL) == 1
    assert "has runs of another study" in capsys.readouterr().err


def test_the_space_is_listed_with_its_conditions_and_what_is_fixed(command, capsys):
    assert command(*PLAIN, "model.width=0.5", "epochs=3") == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "optimizer.lr 0.0005 to 0.02, logarithmic" in said
    assert "batch_size 16, 32, 64, 128" in said
    assert "scheduler.peak 0.5 to 5, logarithmic, if scheduler=one_cycle" in said
    assert "epochs 3 (command line)" in said
    assert "model.width 0.5 (command line, otherwise 0.61 to 1.2)" in said
    assert not any(line.startswith("dry_run") for line in said)


def test_a_setting_that_some_models_lack_says_which_have_it(command, capsys):
    swept = ["search=command_line", "model=choice(mlp,baseline)", "model.width=interval(0.2,0.7)"]
    assert command(*PLAIN, *swept) == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "model.width 0.2 to 0.7, if model=baseline" in said


def test_every_line_fits_80_columns(command, capsys):
    assert command(*PLAIN, "hydra.sweeper.study_name=" + "long-" * 8) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_an_application_without_a_probe_is_told_how_to_have_times(command, capsys):
    assert command(*SMALL) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Time and disk are unknown: hydra.sweeper.probe names no function" in said


def test_a_grid_larger_than_n_trials_is_warned_of(command, capsys):
    grid = ["hydra/sweeper/sampler=grid", "search=command_line", "batch_size=range(1,41)"]
    assert command(*PLAIN, *grid) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "warning: the grid has 40 points and hydra.sweeper.n_trials=20" in said


def test_a_space_that_hardly_fits_is_warned_of_with_counts_and_examples(command, capsys):
    words = ["search=command_line", "model=mlp", "model.hidden=range(1,300)"]
    words += ["budget.max_parameters=5000", "data=mnist_5k", "hydra.sweeper.probe=null"]
    assert command("-m", "dry_run=json", *words) == 0
    plan = json.loads(capsys.readouterr().out)
    gate = plan["gate"]
    assert gate["share"] < 0.05
    assert gate["share_low"] < gate["share"] < gate["share_high"]
    assert gate["counts"]["parameters"]["largest_accepted"] <= 5000
    assert len(gate["rejected"]) == 3
    assert "over budget" in gate["rejected"][0]["reason"]
    assert "less than 5%" in plan["warnings"][0]


@pytest.mark.slow
def test_a_space_in_which_nothing_fits_is_warned_of(command, capsys):
    words = ["search=command_line", "model=mlp", "model.hidden=range(100,300)", "data=mnist_5k"]
    assert command("-m", "dry_run=true", *words) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Gate: 0 of 200 random draws pass" in said
    assert "warning: nothing drawn passes the gate" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dry_run=maybe"], "dry_run must be one of false, true, json, but got 'maybe'"),
        (["dry_run=true,false"], "dry_run must not be searched"),
        (["dry_run=true", "search=none", "seed=0,1"], "dry_run plans a single run, or a search by"),
        (["dry_run=true", "hydra.sweeper.direction=minimize"], "does not fit objective=val_acc"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(command, tmp_path, capsys, words, message):
    assert command("-m", "data=mnist_5k", *words) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert contents(tmp_path) == {}


@pytest.mark.slow
def test_the_workers_of_the_sweep_time_it_at_once(command, tmp_path, capsys):
    words = ["search=command_line", "model=mlp", "model.hidden=range(2,40)", "data=mnist_5k"]
    words += ["epochs=4", "batch_size=256", "hydra.sweeper.n_jobs=2", "hydra.sweeper.timeout=1"]
    recorded(6, name="mlp-mnist_5k")
    before = contents(tmp_path)
    assert command("-m", "dry_run=json", *words) == 0
    plan = json.loads(capsys.readouterr().out)
    seconds, study = plan["seconds"], plan["study"]
    assert contents(tmp_path) == before
    assert (plan["workers"], study["ended"], study["left"]) == (2, 6, 14)
    assert seconds["smallest"]["counts"]["parameters"] < seconds["largest"]["counts"]["parameters"]
    for each in (seconds["smallest"], seconds["largest"]):
        assert 0 < each["epoch_low"] <= each["epoch"] <= each["epoch_high"]
        assert each["trial"] > 4 * each["epoch"]
    assert 0 < seconds["start_up"] < seconds["sweep"]["low"] <= seconds["sweep"]["seconds"]
    # The study's own trials say how long one takes, and what pruning saves: they trained half of
    # their epochs in 50 seconds.
    assert seconds["trial"] == pytest.approx(100)
    assert plan["pruning"]["epochs_share"] == pytest.approx(0.5)
    assert plan["bytes"]["sweep"] == pytest.approx(14 * plan["bytes"]["trial"])
    assert 0 < plan["launched_in_time"] < 10
    assert "can run in hydra.sweeper.timeout=1 seconds, fewer than 10" in plan["warnings"][0]


CONFIG = """
defaults: [_self_, {override hydra/sweeper: mnist_sweep}]
hydra:
  sweeper: {study_name: sphere, storage: "sqlite:///study.db", params: {x: "interval(-5.0, 5.0)"}}
x: 1.0
"""


def test_another_application_plans_by_the_sweepers_own_setting(tmp_path, monkeypatch, capsys):
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["app.py", "-m", "hydra.sweeper.dry_run=true"])
    GlobalHydra.instance().clear()
    before = contents(tmp_path)

    @hydra.main(config_path=str(tmp_path), config_name="config")
    def main(config):
        raise AssertionError("a dry run has no jobs")

    main()
    said = " ".join(capsys.readouterr().out.split())
    assert contents(tmp_path) == before
    assert "x -5 to 5" in said
    assert "Gate: 200 of 200 random draws pass" in said
    assert "hydra.sweeper.probe names no function" in said
