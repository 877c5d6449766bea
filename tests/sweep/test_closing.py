"""The last lines of a sweep, of a study whose trials are made by hand."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from mnist_sweep.cli import printed_commands
from mnist_sweep.cli.printed_commands import Program
from mnist_sweep.sweep import closing as module
from mnist_sweep.sweep.closing import Closing
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.study_store import DATA
from mnist_sweep.sweep.trial_line import Change
from mnist_sweep.sweep.trials.leases import SWEEP
from mnist_sweep.sweep.trials.tally import Tally

STORAGE = "sqlite:///multirun/optuna.db"
LR = Change("lr", "0.01", group=False)


def trial(value, lr=0.1, parameters=13_441, number=0):
    return create_trial(
        value=value,
        params={"lr": lr},
        distributions={"lr": optuna.distributions.FloatDistribution(0, 1)},
        user_attrs={
            "parameters": parameters,
            "run_directory": f"multirun/s/{number}",
            "overrides": [f"lr={lr}"],
            "val_acc": value,
            DATA: "d",
        },
    )


@pytest.fixture
def closing(tmp_path):
    study = optuna.create_study(direction="maximize", study_name="s")
    directory = tmp_path / "multirun/s"
    (directory / "0").mkdir(parents=True)
    (directory / "0/events.out.tfevents.1").touch()
    given = SimpleNamespace(
        settings=Settings(storage=STORAGE),
        task=SimpleNamespace(budget=19_999),
        directory=directory,
        program=Program(),
    )
    written = ObjectiveText(["val_acc"])
    written.learn({"data": {"sizes": {"val": 500}}})
    return Closing(Tally(study), given, 3, written, lambda t: [] if t.params["lr"] == 0.1 else [LR])


def test_the_answer_is_the_first_line_and_each_command_is_there_once(closing):
    closing.tally.study.add_trials([trial(0.966), trial(0.97, lr=0.01, number=1)])
    closing.tally.renew()
    lines = list(closing.lines(65))
    assert lines[:6] == [
        "best: trial 1 with val_acc 97.0%, 13,441 parameters (67% of the budget)",
        "  500 validation images leave 95.1% to 98.2% open (95% interval of one run)",
        "  other than the default: lr=0.01",
        "  run: multirun/s/1",
        "  train it again: python -m mnist_sweep.train lr=0.01",
        "default: trial 0 with val_acc 96.6%, 13,441 parameters (67% of the budget)",
    ]
    assert lines[6] == (
        "study s: 2 of 3 trials finished, 0 of them pruned, 0 failed; 0 proposals rejected; 1m05s"
    )
    assert [line.partition(": ")[2] or line.strip() for line in lines[9:]] == [
        f"python -m mnist_sweep.report study=s storage={STORAGE}",
        f"python -m mnist_sweep.confirm study=s storage={STORAGE}",
        "python -m mnist_sweep.tensorboard study=s",
        f"python -m mnist_sweep.dashboard storage={STORAGE}",
    ]


def test_the_commands_are_those_of_the_makefile_where_it_can_be_used(closing, monkeypatch):
    monkeypatch.setattr(module, "has_makefile", lambda: True)
    monkeypatch.setattr(printed_commands, "has_makefile", lambda: True)
    closing.tally.study.add_trial(trial(0.97))
    closing.tally.renew()
    said = "\n".join(closing.lines(65))
    for command in (
        "train it again: make reproduce RUN=multirun/s/0\n",
        "look next: make report STUDY=s\n",
        "make confirm STUDY=s\n",
        "make tensorboard STUDY=s\n",
        "make dashboard",
    ):
        assert said.count(command) == 1
    assert "python -m" not in said


def test_the_default_configuration_is_named_as_the_best_where_it_is(closing):
    closing.tally.study.add_trials([trial(0.966), trial(0.95, lr=0.01, number=1)])
    closing.tally.renew()
    lines = list(closing.lines(65))
    assert lines[2] == "  it is the default configuration"
    assert not [line for line in lines if line.startswith("default")]


@pytest.mark.parametrize(
    ("names", "expected"), [(["seed", "width"], True), (["seed"], False), (["width"], False)]
)
def test_where_the_seed_is_an_axis_the_best_run_is_called_one_seed(closing, names, expected):
    study = optuna.create_study(direction="maximize", study_name="s")
    axes = dict.fromkeys(names, optuna.distributions.IntDistribution(0, 4))
    study.add_trial(create_trial(value=0.97, params=dict.fromkeys(names, 1), distributions=axes))
    lines = list(replace(closing, tally=Tally(study), changes=lambda _: []).lines(65))
    said = "  this is one seed: the report has each configuration over its seeds"
    assert (said in lines) == expected


def test_another_applications_study_has_its_own_value_and_no_word_of_ours(closing):
    closing.given.task.budget = None
    program = Program(["python", "app.py"])
    given = SimpleNamespace(**{**vars(closing.given), "program": program})
    other = replace(closing, given=given, written=ObjectiveText([]))
    other.tally.study.add_trial(create_trial(value=-1.25, user_attrs={"overrides": ["x=1"]}))
    other.tally.renew()
    other = replace(other, changes=lambda t: [Change("x", "1", group=False)])
    lines = list(other.lines(65))
    assert lines[0] == "best: trial 0 with value -1.25"
    assert "  train it again: python app.py x=1" in lines
    assert not [line for line in lines if "images" in line or "confirm" in line]


@pytest.mark.parametrize(
    ("settings", "total", "said"),
    [
        ({}, 6, "2 interrupted trials will be resumed by the same command"),
        ({"plateau": 2}, 6, "2 interrupted trials will be resumed by the same command"),
        (
            {"plateau": 1},
            6,
            "2 interrupted trials: not resumed by the same command, since no better trial among "
            "the last 1 (plateau)",
        ),
        (
            {"target": 0.9},
            6,
            "2 interrupted trials: not resumed by the same command, since the best value, 0.97, "
            "reaches target=0.9",
        ),
        (
            {},
            3,
            "2 interrupted trials: the same command resumes 1 of them; hydra.sweeper.n_trials=4 "
            "resumes all",
        ),
        (
            {},
            2,
            "2 interrupted trials: the same command resumes none of them; "
            "hydra.sweeper.n_trials=4 resumes all",
        ),
    ],
)
def test_interrupted_trials_are_promised_only_what_the_same_command_does(
    closing, settings, total, said
):
    interrupted = create_trial(state=TrialState.WAITING, system_attrs={SWEEP: {}})
    trials = [trial(0.97), trial(0.96, lr=0.01, number=1), interrupted, interrupted]
    closing.tally.study.add_trials(trials)
    closing.tally.renew()
    closing.given.settings = Settings(storage=STORAGE, direction="maximize", **settings)
    lines = list(replace(closing, total=total).lines(65))
    assert [line for line in lines if line.startswith("2 interrupted")] == [said]


def test_a_study_without_a_best_trial_says_so(closing):
    assert next(closing.lines(65)).startswith("no trial is complete and feasible")


def test_a_long_front_is_cut_and_counted(closing):
    study = optuna.create_study(directions=["maximize", "minimize"])
    written = ObjectiveText(["val_acc", "parameters"])
    front = replace(
        closing, tally=Tally(study), written=written, changes=lambda t: [LR] if t.number < 7 else []
    )
    for n in [*range(7), -1]:
        value = 0.05 if n < 0 else n / 10
        study.add_trial(create_trial(values=[value, n % 8], user_attrs={DATA: "d"}))
    front.tally.renew()
    lines = list(front.lines(65))
    assert lines.count("default: trial 7 with val_acc 0.05, parameters 7") == 1
    assert len([line for line in lines if line.startswith("best: ")]) == 5
    assert "and 2 more on the front" in lines


def test_a_trial_of_a_front_has_each_figure_once(closing):
    study = optuna.create_study(directions=["maximize", "minimize"])
    written = ObjectiveText(["val_acc", "parameters"])
    written.learn({"data": {"sizes": {"val": 500}}})
    attributes = {DATA: "d", "parameters": 13_441}
    study.add_trial(create_trial(values=[0.97, 13_441], user_attrs=attributes))
    front = replace(closing, tally=Tally(study), written=written, changes=lambda t: [LR])
    assert next(front.lines(65)) == (
        "best: trial 0 with val_acc 97.0%, parameters 13,441 (67% of the budget)"
    )


def test_tensorboard_is_told_of_a_sweeps_folder_that_it_does_not_look_in(closing, monkeypatch):
    monkeypatch.setattr(module, "has_makefile", lambda: True)
    closing.tally.study.add_trial(trial(0.97))
    closing.tally.renew()
    moved = Path("sweeps/mine")
    moved.parent.mkdir()
    closing.given.directory.rename(moved)
    closing.given.directory = moved
    said = [line.strip() for line in closing.lines(65)]
    assert "python -m mnist_sweep.tensorboard study=mine sweeps=sweeps" in said
