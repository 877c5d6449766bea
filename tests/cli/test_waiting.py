"""What is shown while something takes long."""

import io
import sys
import time

from mnist_sweep.cli import waiting as module
from mnist_sweep.cli.waiting import waiting


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_a_terminal_shows_what_is_waited_for_and_is_clean_afterwards(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(module, "DELAY", 0.01)
    with waiting("drawing"):
        until = time.monotonic() + 10
        while "drawing 00:0" not in terminal.getvalue() and time.monotonic() < until:
            pass
    assert "drawing 00:0" in terminal.getvalue()
    assert terminal.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""


def test_a_log_shows_nothing(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(module, "DELAY", 0.0)
    with waiting("drawing"):
        pass
    assert log.getvalue() == ""


def test_what_takes_no_time_is_not_shown(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with waiting("drawing"):
        pass
    assert "drawing" not in terminal.getvalue()
