"""What a sweep says of how it stands, of a study whose trials are made by hand."""

import fcntl
import os
import pty
import struct
import sys
import termios
from contextlib import contextmanager

import optuna

from mnist_sweep.cli.printed import this_program
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.settings import Settings

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


class Dispatcher:
    def __str__(self):
        return "workers"

    def free(self):
        return WORKERS


def end(progress, number, status, value=None):
    """Run a trial for a minute, until it comes to something."""
    progress.begins(number)
    config = progress.directory / str(number) / ".hydra" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.touch()
    began = config.stat().st_mtime
    progress.pace.started[number] = began - 60
    os.utime(config, (began - 60, began - 60))
    trial = progress.study.ask()
    for name, attribute in {"status": status, "epochs": 2, "max_epochs": 20}.items():
        trial.set_user_attr(name, attribute)
    progress.study.tell(trial, value, studies.STATES[status])
    if status == studies.COMPLETE:
        progress.complete(number, [value])
    else:
        progress.pruned(number, "pruned")


def test_a_narrow_terminal_shows_how_long_is_left_and_what_is_best(tmp_path, monkeypatch):
    study = optuna.create_study(direction="maximize")
    progress = Progress(study, Settings(), TOTAL, "val_acc", tmp_path, this_program())
    with terminal(80) as (stream, theirs):
        monkeypatch.setattr(sys, "stderr", stream)
        progress.decisions([], [], None, Dispatcher(), None)
        try:
            end(progress, 0, studies.COMPLETE, 0.98765)
            for number in range(1, 12):
                end(progress, number, studies.PRUNED)
            progress.refresh([])
        finally:
            progress.end_view()
        shown = os.read(theirs, 100_000).decode()
    lines = [line for line in shown.split("\r") if line.startswith("sweep: 12/20")]
    assert "m00s left, best 0.98765" in lines[-1]
