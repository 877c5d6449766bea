"""A study's figures as a file."""

import json
import os
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from mnist_sweep.cli.arguments import ArgumentError, parse
from mnist_sweep.confirm.conclusion import (
    Comparison,
    Conclusion,
    Standing,
    confirmations,
    write_conclusion,
)
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.results import __main__ as entry
from mnist_sweep.results.summary import ResultsError, of_arms, of_confirmation
from mnist_sweep.run.single import write_config
from mnist_sweep.sweep import study_search, study_store
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS, create, create_usual, stored
from tests.report.test_arms import BY_SEED, grid


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def swept(name="arms"):
    study = create(name)
    drawn = "CategoricalDistribution(choices=(16, 32, 64))"
    settings = {"search": "ablation/batch_size", "data.root": "/home/me", "batch_size": drawn}
    definition = {"search": {"settings": settings}, "objective": "val_acc"}
    study.set_user_attr(study_search.DEFINITION, definition)
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
    known = {"parameters": 10, "seconds": 2.0, "run_directory": str(run), study_store.DATA: "abc"}
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
    entry.main(entry.Results("arms", ADDRESS, to="docs/results/arms.json"))
    assert capsys.readouterr().out == "3 configurations of arms: docs/results/arms.json\n"
    assert json.loads(Path("docs/results/arms.json").read_text())["schema"] == 1


def test_a_study_without_an_axis_of_seeds_is_refused():
    usual = create_usual()
    with pytest.raises(ResultsError, match="study usual has no configurations with two seeds"):
        of_arms(read_study(usual, ADDRESS))


def test_several_objectives_are_said_to_have_no_mean():
    study = create("two", ["maximize", "minimize"], objective=["val_acc", "parameters"])
    assert study.directions
    with pytest.raises(ResultsError, match="has the objectives val_acc, parameters, and a mean"):
        of_arms(read_study("two", ADDRESS))


def test_an_infinite_value_is_one_that_failed():
    grid(create("endless"), {16: (0.991, 0.993), 32: (0.984, float("inf"), 0.985)})
    found = of_arms(read_study("endless", ADDRESS))
    assert found["failed"] == [{"settings": {"batch_size": 32}, "seeds": [1]}]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("given", "overrides"),
    [
        (
            ["search=command_line", "model.hidden=range(5,60)"],
            "search=command_line 'model.hidden=range(5,60)'",
        ),
        (
            ["~tracking", "data.root=/home/me", "hydra.sweeper.storage=sqlite:///x.db"],
            "'~tracking'",
        ),
        (
            [
                "hydra.sweeper.pruner.min_resource=5",
                "hydra.sweep.dir=x",
                "hydra.sweeper.study_name=a",
            ],
            "hydra.sweeper.pruner.min_resource=5",
        ),
    ],
)
def test_the_command_is_what_the_sweep_was_given_but_for_its_places(given, overrides):
    swept()
    study_store.record_start(stored("arms"), "arms", {}, given)
    found = of_arms(read_study("arms", ADDRESS))["command"]
    assert found == f"python -m mnist_sweep.train -m {overrides}"


def test_a_study_that_records_no_command_line_has_none_where_that_said_what_is_searched():
    definition = swept().definition
    study = stored("arms")
    definition["search"]["settings"]["search"] = "command_line"
    study.set_user_attr(study_search.DEFINITION, definition)
    assert of_arms(read_study("arms", ADDRESS))["command"] is None
    definition["search"] |= {"settings": {"search": "schedule"}, "deletions": ["~tracking"]}
    study.set_user_attr(study_search.DEFINITION, definition)
    found = of_arms(read_study("arms", ADDRESS))["command"]
    assert found == "python -m mnist_sweep.train -m search=schedule '~tracking'"


def test_settings_without_an_effect_are_refused():
    asked = parse(entry.Results, ["confirmation=confirmed", "storage=sqlite:///x.db"])
    with pytest.raises(ArgumentError, match=r"storage=.* has no effect without study="):
        entry.main(asked)


def test_seeds_that_failed_are_named_in_the_file_and_by_the_command(capsys):
    study = create("arms")
    grid(study, {16: (0.991, 0.993), 32: (0.984, None, 0.985), 64: (None, None)})
    entry.main(entry.Results("arms", ADDRESS, to="arms.json"))
    found = json.loads(Path("arms.json").read_text())
    assert [arm["settings"]["batch_size"] for arm in found["arms"]] == [16, 32]
    assert found["seconds"] is None, "these trials are none of ours, and record no time"
    assert found["failed"] == [
        {"settings": {"batch_size": 32}, "seeds": [1]},
        {"settings": {"batch_size": 64}, "seeds": [0, 1]},
    ]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "without a value, and in no mean: batch_size=32 failed with seed 1",
        "without a value, and in no mean: batch_size=64 failed with seeds 0, 1",
    ]


def test_of_too_few_configurations_it_is_said_which_failed():
    study = create("arms")
    grid(study, {16: (0.991, 0.993), 64: (None, None)})
    message = "has 1 configuration with two seeds.*needs two; batch_size=64 failed with seeds"
    with pytest.raises(ResultsError, match=message):
        entry.main(entry.Results("arms", ADDRESS))


@pytest.fixture
def confirmed(composed):
    """Two configurations with three seeds each, and what was concluded; the folder."""
    folder, standings = Path("confirmed"), []
    for title, val_acc in (("trial 4", 0.98), ("trial 7", 0.97)):
        for seed in (1, 2, 3):
            run = folder / title.replace(" ", "-") / str(seed)
            write_config(composed("model=linear", "data=mnist_5k", f"seed={seed}"), run)
            result = {"val_acc": val_acc, "val_loss": 0.1, "best_epoch": 4, "seconds": 10.0}
            (run / "result.json").write_text(json.dumps(result))
        around = Interval(val_acc, val_acc - 0.01, val_acc + 0.01)
        standings.append(
            Standing(
                title,
                "linear",
                parameters=7_850,
                epochs=4,
                searched=0.985,
                seeds=[1, 2, 3],
                accuracies=[0.95, 0.96, 0.97],
                diverged=[],
                val_acc=around,
                val_loss=around,
                test_acc=around,
            )
        )
    compared = [Comparison("trial 7", 3, Interval(0.01, 0.0, 0.02))]
    conclusion = Conclusion("mnist_5k", 500, "val_acc", 0.95, standings, compared, [])
    write_conclusion(conclusion, folder)
    return folder


def test_a_confirmations_figures_are_there_for_every_seed_with_its_settings(confirmed):
    found = of_confirmation(confirmed)
    first, second = found["configurations"]
    assert (first["title"], second["title"]) == ("trial 4", "trial 7")
    assert first["seeds"]["2"] == {
        "val_acc": 0.98,
        "val_loss": 0.1,
        "best_epoch": 4,
        "seconds": 10.0,
        "test_acc": 0.96,
    }
    assert first["test_acc"] == {"mean": 0.98, "low": 0.97, "high": 0.99}
    assert first["settings"]["model"]["_target_"] == "mnist_sweep.models.Linear"
    assert "seed" not in first["settings"]
    assert "root" not in first["settings"]["data"]
    assert found["comparisons"][0]["title"] == "trial 7"
    assert (found["seconds"], found["search"], found["runs"]["read"]) == (60.0, None, 6)


def test_a_confirmation_whose_runs_are_gone_is_refused(confirmed):
    (confirmed / "trial-4" / "2" / "result.json").unlink()
    with pytest.raises(ResultsError, match=r"trial-4/2 has no result\.json"):
        of_confirmation(confirmed)


def test_a_folder_without_a_conclusion_is_refused():
    with pytest.raises(ResultsError, match=r"nowhere has no confirmation\.json"):
        of_confirmation(Path("nowhere"))


def test_the_command_takes_a_folder_of_runs_that_no_study_chose(confirmed, capsys):
    entry.main(entry.Results(confirmation=str(confirmed)))
    assert capsys.readouterr().out == "2 configurations of confirmed: confirmed.json\n"


@pytest.mark.parametrize("empty", [None, ""])
def test_without_a_study_and_a_confirmation_there_is_nothing_to_write(empty):
    with pytest.raises(ArgumentError, match="name a study="):
        entry.main(entry.Results(study=empty, confirmation=empty))


@pytest.mark.parametrize("name", ["runs[1]", "."])
def test_a_confirmations_folder_may_have_any_name(confirmed, monkeypatch, name):
    if name == ".":
        monkeypatch.chdir(confirmed)
    else:
        confirmed.rename(name)
    entry.main(entry.Results(confirmation=name, to="found.json"))
    assert len(json.loads(Path("found.json").read_text())["configurations"]) == 2


def test_a_confirmations_own_record_is_not_written_over(confirmed):
    before = (confirmed / "confirmation.json").read_text()
    with pytest.raises(ArgumentError, match="is the confirmation's own record: name another file"):
        entry.main(
            entry.Results(confirmation=str(confirmed), to=str(confirmed / "confirmation.json"))
        )
    assert (confirmed / "confirmation.json").read_text() == before


def test_a_confirmation_of_another_study_is_refused(confirmed):
    swept()
    message = r"confirmed is no confirmation of study arms, .*\(trial 4, trial 7\)"
    with pytest.raises(ResultsError, match=message):
        entry.main(entry.Results("arms", ADDRESS, confirmation=str(confirmed)))


def test_a_study_that_was_not_confirmed_says_how_to_get_figures():
    usual = create_usual()
    with pytest.raises(ResultsError, match="usual has no figures over seeds: confirm it"):
        entry.main(entry.Results(usual, ADDRESS))


def test_of_several_confirmations_one_must_be_named():
    usual = create_usual()
    for name in ("confirmation", "confirmation-20-epochs"):
        folder = Path("multirun", usual, name)
        folder.mkdir(parents=True)
        (folder / "confirmation.json").write_text("{}")
    with pytest.raises(ResultsError, match=r"has several confirmations: .*name one with"):
        entry.main(entry.Results(usual, ADDRESS))


def test_two_configurations_with_one_name_for_a_folder_have_each_their_own_figures(confirmed):
    path = confirmed / "confirmation.json"
    found = json.loads(path.read_text())
    (confirmed / "trial-7").rename(confirmed / "trial-4-again")
    found["standings"][1] |= {"title": "trial/4", "key": "trial-4-again"}
    path.write_text(json.dumps(found))
    first, second = of_confirmation(confirmed)["configurations"]
    assert (first["seeds"]["1"]["val_acc"], second["seeds"]["1"]["val_acc"]) == (0.98, 0.97)


def test_a_confirmation_is_found_in_a_sweeps_folder_that_cannot_be_written_to(
    confirmed, monkeypatch
):
    create("published")
    shipped = Path("shipped")
    shipped.mkdir()
    confirmed.rename(shipped / "confirmation")
    record = replace(read_study("published", ADDRESS), folder=shipped)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert record.home == Path("multirun/published")
    assert [each.name for each in record.homes] == ["shipped", "published"]
    assert confirmations(record.homes) == [shipped / "confirmation"]
