"""What streams can show."""

import io
import os
import pty

import pytest

from mnist_sweep.cli.terminal import USUAL, can_show, columns
from mnist_sweep.sweep.trial_line import BARS, PLAIN_BARS


def test_a_file_has_no_width(tmp_path):
    with (tmp_path / "log").open("w") as log:
        assert columns(log) is None
    assert columns(io.StringIO()) is None


def test_a_terminal_that_does_not_say_how_wide_it_is_has_the_usual_width():
    theirs, ours = pty.openpty()  # of 0 columns
    with os.fdopen(ours, "w") as stream:
        assert columns(stream) == USUAL
    os.close(theirs)


@pytest.mark.parametrize(
    ("encoding", "bars"), [("utf-8", True), ("latin-1", False), ("ascii", False)]
)
def test_an_encoding_decides_which_characters_are_shown(encoding, bars):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert can_show(stream, BARS) is bars
    assert can_show(stream, PLAIN_BARS)
