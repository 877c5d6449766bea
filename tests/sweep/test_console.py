"""What a sweep says of how it stands, of a study whose trials are made by hand."""

import fcntl
import logging
import os
import pty
import select
import struct
import sys
import termios
from contextlib import contextmanager
from types import SimpleNamespace

import optuna
import pytest
from omegaconf import OmegaConf

from mnist_sweep.cli.printed_commands import this_program
from mnist_sweep.sweep.console import Console
from mnist_sweep.sweep.opening import Chosen
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.study_store import DATA
from mnist_sweep.sweep.trials.status import STATES, TrialStatus
from mnist_sweep.sweep.trials.tally import Tally

WORKERS = 2
TOTAL = 20
CONFIG = OmegaConf.create({"lr": 0.1, "hydra": {"runtime": {"choices": {}}}})
FACTS = {
    "trial": 0,
    "max_epochs": 20,
    "device": "cpu",
    "threads": 1,
    "precision": "float32",
    "data": {
        "name": "mnist_5k",
        "sizes": {"train": 4_000, "val": 500, "test": 500},
        "reason": "a subset",
    },
}


@contextmanager
def terminal(columns):
    """A terminal so wide, as a stream to it, and the descriptor that it is read from."""
    theirs, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    with os.fdopen(ours, "w") as stream:
        yield stream, theirs
    os.close(theirs)


def read(descriptor):
    """What has come to a terminal, which may hold it in several pieces."""
    while select.select([descriptor], [], [], 0.2)[0]:
        yield os.read(descriptor, 100_000).decode()


def console_of(study, directory, total=TOTAL):
    """What speaks of a study with two workers, none of whose settings was left out."""
    decided = Chosen("TPESampler", "NopPruner", "2 workers", WORKERS, [], [], None, None)
    given = SimpleNamespace(
        settings=Settings(),
        task=SimpleNamespace(objectives=["val_acc"], budget=19_999),
        directory=directory,
        program=this_program(),
    )
    space = SimpleNamespace(space=SimpleNamespace(names=lambda: {"lr"}), current=BaseConfig(CONFIG))
    tally = Tally(study)
    opened = SimpleNamespace(
        study=study, tally=tally, total=total, chosen=decided, gated_space=space
    )
    return Console(opened, given)


def end(console, number, status, value=None, lr=0.1):
    """Run a trial for a minute, with a report after each of two epochs, until it ends."""
    console.launched(number)
    config = console.directory / str(number) / ".hydra" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.touch()
    began = config.stat().st_mtime
    console.progress.pace.started[number] = began - 60
    os.utime(config, (began - 60, began - 60))
    study = console.tally.study
    trial = study.ask()
    trial.suggest_float("lr", lr, lr)
    for epoch in (1, 2):
        trial.report((value or 0.5) - (2 - epoch) / 10, epoch)
    recorded = {"status": status, "epochs": 2, "max_epochs": 20, "parameters": 13_441, DATA: "d"}
    for name, attribute in recorded.items():
        trial.set_user_attr(name, attribute)
    study.tell(trial, value, STATES[status])
    console.tally.renew()
    if status == TrialStatus.COMPLETE:
        console.complete(number, [value])
    else:
        console.pruned(number, "pruned")


def shown_in(columns, tmp_path, monkeypatch):
    """The last bar and the last lines of workers that a terminal so wide shows."""
    study = optuna.create_study(direction="maximize")
    with terminal(columns) as (stream, theirs):
        monkeypatch.setattr(sys, "stderr", stream)
        console = console_of(study, tmp_path)
        console.recorded(FACTS, {})
        try:
            end(console, 0, TrialStatus.COMPLETE, 0.98765)
            for number in range(1, 12):
                end(console, number, TrialStatus.PRUNED)
            console.launched(12)
            console.tick([12])
        finally:
            console.ending()
        shown = "".join(read(theirs))
    return shown.replace("\x1b[A", "\r").replace("\n", "\r").split("\r")


def test_what_is_to_be_known_of_a_trials_settings_is_said_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    console = console_of(optuna.create_study(direction="maximize"), tmp_path)
    for number in range(2):
        console.recorded(FACTS | {"trial": number, "advice": "it keeps an early epoch"}, {})
    assert caplog.messages.count("note: it keeps an early epoch") == 1


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_shows_how_long_is_left_and_what_is_best_in_one_line(
    columns, tmp_path, monkeypatch
):
    lines = shown_in(columns, tmp_path, monkeypatch)
    bar = [line for line in lines if line.startswith("12/20 trials |")][-1]
    assert "m00s left, best 98.8% (trial 0), 11 pruned" in bar
    assert len(bar) <= columns
    assert ("(198 epochs saved)" in bar) == (columns == 140)


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_says_that_workers_start_and_for_how_long(columns, tmp_path, monkeypatch):
    study = optuna.create_study(direction="maximize")
    with terminal(columns) as (stream, theirs):
        monkeypatch.setattr(sys, "stderr", stream)
        console = console_of(study, tmp_path, total=1)
        try:
            console.launched(0)
            console.tick([0])
        finally:
            console.ending()
        shown = "".join(read(theirs))
    assert "0/1 trial |          | 00:00, starting 1 worker\r" in shown
    assert "worker 1" not in shown


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_shows_each_worker_from_the_start(columns, tmp_path, monkeypatch):
    lines = [line.strip() for line in shown_in(columns, tmp_path, monkeypatch)]
    assert "worker 0: starting" in lines
    assert "worker 0: trial 12 is starting" in lines
    assert "worker 1: idle" in lines


def said(caplog):
    """The lines of a sweep, without those of its start."""
    return [record.getMessage() for record in caplog.records][3:]


def test_each_trial_has_a_line_and_the_counts_are_in_none_of_them(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    console = console_of(optuna.create_study(direction="maximize"), tmp_path)
    console.recorded(FACTS, {})
    end(console, 0, TrialStatus.COMPLETE, 0.966)
    end(console, 1, TrialStatus.COMPLETE, 0.97, lr=0.0123)
    end(console, 2, TrialStatus.PRUNED)
    end(console, 3, TrialStatus.COMPLETE, 0.968)
    assert [line for line in said(caplog) if line.startswith("trial")] == [
        "trial  0 done    96.6%  best  13,441 params  ▁         default settings",
        "trial  1 done    97.0%  best  13,441 params  ▁         lr=0.0123",
        "trial  2 pruned  50.0%        13,441 params  ▁         default settings",
        "trial  3 done    96.8%        13,441 params  ▁         default settings",
    ]


def test_a_log_says_now_and_then_how_the_sweep_stands(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    console = console_of(optuna.create_study(direction="maximize"), tmp_path)
    console.recorded(FACTS, {})
    end(console, 0, TrialStatus.COMPLETE, 0.97)
    before = len(said(caplog))
    console.tick([1])
    assert len(said(caplog)) == before
    console.stood -= 61
    console.tick([1])
    console.tick([1])
    assert said(caplog)[before:] == [
        "1/20 done, 9m30s left, best 97.0% (trial 0); running: trial 1 is starting"
    ]


def test_a_resumed_study_is_written_as_before(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    study = optuna.create_study(direction="maximize")
    end(console_of(study, tmp_path), 0, TrialStatus.COMPLETE, 0.97)
    caplog.clear()
    console = console_of(study, tmp_path, total=1)
    assert "1 of 1 trial done" in caplog.text
    console.ended()
    assert said(caplog)[0] == (
        "best: trial 0 with val_acc 97.00%, 13,441 parameters (67% of the budget)"
    )
