"""The default configuration of a study, found among its trials or composed anew."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mnist_sweep.cli.printed_commands import Program
from mnist_sweep.confirm.candidates import Changes, ConfirmError, of_runs
from mnist_sweep.confirm.default import default_of

DRAWN = "FloatDistribution(high=0.02, log=True, low=0.0005, step=None)"


def record(rows=(), program=None, **settings):
    """A study of a learning rate, whose other settings are these."""
    fixed = {"model": "linear", "data": "mnist_5k", "epochs": "2", "tracking": "none"}
    search = {"settings": {**fixed, **settings, "optimizer.lr": DRAWN}, "deletions": []}
    return SimpleNamespace(
        name="s", definition={"search": search}, rows=rows, program=program or Program()
    )


def trial(number, directory, **settings):
    return SimpleNamespace(
        number=number, settings=settings, attributes={"run_directory": directory}
    )


def test_the_trial_that_has_it_is_taken(recorded):
    first = recorded("multirun/s/0", "optimizer.lr=0.01", "epochs=2")
    usual = recorded("multirun/s/1", "optimizer.lr=0.003", "epochs=2", val_acc=0.93)
    rows = [trial(0, first, **{"optimizer.lr": 0.01}), trial(1, usual, **{"optimizer.lr": 0.003})]
    found = default_of(record(rows), of_runs([first], Changes())[0], Changes())
    assert (found.title, found.result["val_acc"]) == ("trial 1", 0.93)


def test_it_is_composed_with_what_the_sweep_fixed_where_no_trial_has_it(recorded):
    first = recorded("multirun/s/0", "optimizer.lr=0.01", "epochs=2")
    rows = [trial(0, first, **{"optimizer.lr": 0.01})]
    like = of_runs([first], Changes())[0]
    found = default_of(record(rows, batch_size="64"), like, Changes(epochs=7))
    assert (found.title, found.key, found.model) == ("default", "default", "linear")
    config = found.config
    assert (config.optimizer.lr, config.batch_size, config.epochs) == (0.003, 64, 7)
    assert (config.study, config.trial, config.data.name) == (None, None, "mnist_5k")


def test_a_trial_whose_run_is_gone_is_not_taken(recorded):
    like = of_runs([recorded("here", "epochs=2")], Changes())[0]
    rows = [trial(0, "gone", **{"optimizer.lr": 0.003})]
    assert default_of(record(rows), like, Changes()).title == "default"


def test_automatic_data_are_those_that_the_trials_found(recorded):
    data = {"name": "mnist_5k", "fingerprint": "x"}
    like = of_runs([recorded("here", "data=auto", data=data)], Changes())[0]
    found = default_of(record(data="auto"), like, Changes())
    assert found.config.data.name == "mnist_5k"


@pytest.mark.parametrize(
    ("settings", "program", "message"),
    [
        ({"model": "enhanced", "budget.max_parameters": "100"}, None, "19,306 parameters"),
        ({"model": "gone"}, None, "it cannot be composed: .*gone"),
        ({}, Program(["python", "mine.py"]), "its trials are not of python -m mnist_sweep.train"),
        ({}, Program(options=["--config-dir", "mine"]), "was started with --config-dir mine"),
    ],
)
def test_it_is_said_why_there_is_none(recorded, settings, program, message):
    like = of_runs([recorded("here", "epochs=2")], Changes())[0]
    with pytest.raises(ConfirmError, match=message):
        default_of(record(program=program, **settings), like, Changes())


def test_nothing_of_hydras_own_is_taken_from_a_study(recorded):
    like = of_runs([recorded("here", "epochs=2")], Changes())[0]
    study = record(**{"hydra.run.dir": "elsewhere", "+hydra.searchpath": "[file:///nowhere]"})
    default_of(study, like, Changes())
    assert not Path("elsewhere").exists()
