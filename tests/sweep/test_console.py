"""What a sweep says of how it stands, of a study whose trials are made by hand."""

import fcntl
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

from mnist_sweep.cli.printed_commands import this_program
from mnist_sweep.sweep.console import Console
from mnist_sweep.sweep.opening import Decisions
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.trials.status import STATES, TrialStatus

WORKERS = 2
TOTAL = 20


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


def console_of(study, directory):
    """What speaks of a study with two workers, none of whose settings was left out."""
    decided = Decisions("TPESampler", "NopPruner", "2 workers", WORKERS, [], [], None, None)
    given = SimpleNamespace(
        settings=Settings(),
        task=SimpleNamespace(objective="val_acc"),
        directory=directory,
        program=this_program(),
    )
    return Console(SimpleNamespace(study=study, total=TOTAL, decisions=decided), given)


def end(console, number, status, value=None):
    """Run a trial for a minute, until it comes to something."""
    console.launched(number)
    config = console.directory / str(number) / ".hydra" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.touch()
    began = config.stat().st_mtime
    console.pace.started[number] = began - 60
    os.utime(config, (began - 60, began - 60))
    trial = console.study.ask()
    for name, attribute in {"status": status, "epochs": 2, "max_epochs": 20}.items():
        trial.set_user_attr(name, attribute)
    console.study.tell(trial, value, STATES[status])
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


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_shows_how_long_is_left_and_what_is_best_in_one_line(
    columns, tmp_path, monkeypatch
):
    lines = shown_in(columns, tmp_path, monkeypatch)
    bar = [line for line in lines if line.startswith("sweep: 12/20")][-1]
    assert "m00s left, best 0.98765" in bar
    assert len(bar) <= columns
    assert ("(198 epochs saved)" in bar) == (columns == 140)


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_shows_each_worker_from_the_start(columns, tmp_path, monkeypatch):
    lines = [line.strip() for line in shown_in(columns, tmp_path, monkeypatch)]
    assert "worker 0: starting" in lines
    assert "worker 0: trial 12 is starting" in lines
    assert "worker 1: idle" in lines
