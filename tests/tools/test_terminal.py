"""A program in a terminal."""

import os
import sys

import pytest

from tools.terminal import Screen, watch


def shown(*chunks, columns=20):
    screen = Screen(columns)
    for chunk in chunks:
        screen.feed(chunk)
    return screen.text()


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        (["one\r\ntwo\r\n"], "one\ntwo"),
        (["long line\rshort"], "shortline"),
        (["bar\n\rworker\x1b[A\rBAR\n\r"], "BAR\nworker"),
        (["a\r\nb\r\nc\x1b[2A\rx"], "x\nb\nc"),
        (["abcdef\rab\x1b[K"], "ab"),
        (["abcdef\x1b[2K\rx"], "x"),
        (["one\x1b[", "Atwo"], "onetwo"),  # a sequence that is cut in two
        (["\x1b[1;31mred\x1b[0m"], "red"),
        (["█▁ ▆"], "█▁ ▆"),
        (["\x1b[Atop"], "top"),
    ],
)
def test_a_screen_shows_what_a_terminal_would(chunks, text):
    assert shown(*chunks) == text


def test_a_line_is_broken_where_the_screen_ends_and_not_before():
    assert shown("abcd", columns=4) == "abcd"
    assert shown("abcd\r\nx", columns=4) == "abcd\nx"
    assert shown("abcde", columns=4) == "abcd\ne"


def test_a_program_is_in_a_terminal_as_wide_as_is_said(tmp_path):
    program = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns, 'é')"
    seen = []
    assert watch([sys.executable, "-c", program], tmp_path, os.environ, 77, seen.append) == 0
    assert seen[-1] == "True 77 é"


def test_the_exit_code_is_the_programs(tmp_path):
    line = [sys.executable, "-c", "raise SystemExit(3)"]
    assert watch(line, tmp_path, os.environ, 80, lambda screen: None) == 3
