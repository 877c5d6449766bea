"""What the streams of a log can show."""

import fcntl
import io
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import contextmanager

import pytest

from mnist_sweep.cli.terminal import USUAL, can_show, columns, columns_of, handlers
from mnist_sweep.sweep.trial_line import BARS, PLAIN_BARS


@contextmanager
def terminal(width):
    theirs, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    with os.fdopen(ours, "w") as stream:
        yield stream
    os.close(theirs)


@pytest.fixture
def log():
    """A log that goes nowhere else."""
    log = logging.Logger("alone")
    log.propagate = False
    return log


def test_a_file_has_no_width(tmp_path):
    with (tmp_path / "log").open("w") as file:
        assert columns(file) is None
    assert columns(file) is None  # closed
    assert columns(io.StringIO()) is None


def test_a_terminal_that_does_not_say_how_wide_it_is_has_the_usual_width():
    with terminal(0) as stream:
        assert columns(stream) == USUAL


def test_a_log_is_as_wide_as_its_narrowest_terminal(log, tmp_path):
    log.addHandler(logging.FileHandler(tmp_path / "log", encoding="utf-8", delay=True))
    assert columns_of(log) is None
    assert can_show(log, BARS)
    with terminal(140) as wide, terminal(100) as narrow:
        log.addHandler(logging.StreamHandler(wide))
        log.addHandler(logging.StreamHandler(narrow))
        assert columns_of(log) == 100
    log.handlers[0].close()


def test_what_a_logs_format_puts_before_a_line_takes_its_place(log):
    with terminal(80) as stream:
        log.addHandler(logging.StreamHandler(stream))
        log.handlers[0].setFormatter(logging.Formatter("[%(name)s] %(message)s"))
        assert columns_of(log) == 80 - len("[alone] ")


@pytest.mark.parametrize(
    ("encoding", "bars"), [("utf-8", True), ("latin-1", False), ("ascii", False)]
)
def test_an_encoding_decides_which_characters_are_shown(log, encoding, bars):
    log.addHandler(logging.StreamHandler(io.StringIO()))
    log.addHandler(logging.StreamHandler(io.TextIOWrapper(io.BytesIO(), encoding=encoding)))
    assert can_show(log, BARS) is bars
    assert can_show(log, PLAIN_BARS)


def test_a_log_goes_to_what_its_parents_go_to_as_far_as_it_propagates(log):
    log.addHandler(logging.NullHandler())
    child = logging.Logger("child")
    child.parent = log
    assert list(handlers(child)) == log.handlers
    child.propagate = False
    assert list(handlers(child)) == []


def test_a_log_whose_reader_has_gone_says_so_once_and_the_work_continues():
    script = (
        "import logging, sys\n"
        "from mnist_sweep.cli.terminal import ConsoleHandler\n"
        "log = logging.getLogger('work')\n"
        "log.setLevel(logging.INFO)\n"
        "log.addHandler(ConsoleHandler(sys.stdout))\n"
        "for n in range(3): log.info(n)\n"
        "sys.stderr.write('done')\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert ended.returncode == 0
    said, end = ended.stderr.splitlines()
    assert said.startswith("nobody reads standard output any more: the work continues")
    assert end == "done"
