"""What is shown while a program has not printed anything yet."""

import io
import sys
import time
from contextlib import nullcontext

import pytest

from mnist_sweep.cli import waiting as module
from mnist_sweep.cli.waiting import waiting
from mnist_sweep.errors import UserError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True

    def shown(self):
        """The screen's only line, as the last carriage returns have left it."""
        line = ""
        for part in self.getvalue().split("\r"):
            line = part + line[len(part) :]
        return line.rstrip(" ")


def terminal_of(monkeypatch):
    """A terminal as both streams; no fixture, since pytest sets them anew before a test."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "DELAY", 0.01)
    return stream


def wait_for(stream, text):
    until = time.monotonic() + 10
    while text not in stream.getvalue() and time.monotonic() < until:
        pass
    assert text in stream.getvalue()


def test_a_terminal_shows_what_is_waited_for_and_is_clean_afterwards(monkeypatch):
    terminal = terminal_of(monkeypatch)
    with waiting("drawing"):
        wait_for(terminal, "drawing 00:00")
    assert terminal.shown() == ""
    assert sys.stdout is terminal


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_is_printed_takes_the_place_of_the_line_for_good(name, monkeypatch):
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(module, "ticking", lambda draw, delay: draws.append(draw) or nullcontext())
    draws = []
    with waiting("drawing"):
        kept = getattr(sys, name)
        draws[0]()
        assert terminal.shown() == "drawing 00:00"
        print("no", file=kept)
        assert terminal.shown() == "no\n"
        draws[0]()
        assert terminal.shown() == "no\n"
    print("more", file=kept)
    assert terminal.shown() == "no\nmore\n"


def test_an_error_leaves_no_line_behind(monkeypatch):
    terminal = terminal_of(monkeypatch)

    def fail():
        with waiting("drawing"):
            wait_for(terminal, "drawing 00:00")
            raise UserError("no")

    with pytest.raises(UserError, match="no"):
        fail()
    assert terminal.shown() == ""


def test_a_log_shows_nothing(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(module, "DELAY", 0.0)
    with waiting("drawing"):
        assert sys.stderr is log
    assert log.getvalue() == ""


def test_what_takes_no_time_is_not_shown(monkeypatch):
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(module, "DELAY", 60.0)
    with waiting("drawing"):
        pass
    assert terminal.getvalue() == ""
