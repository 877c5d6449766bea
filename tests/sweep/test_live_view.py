"""The lines of the view, as many as run and as the terminal has room for."""

import os
import shutil

import pytest

from mnist_sweep.sweep.live_view import LiveView


@pytest.fixture
def terminal(monkeypatch):
    """Return a function that sets how many lines the terminal has."""

    def has(lines):
        size = os.terminal_size((80, lines))
        monkeypatch.setattr(shutil, "get_terminal_size", lambda *default: size)

    has(24)
    return has


def shown(view):
    return [line.desc for line in view.lines]


def test_a_sweeps_view_names_its_workers_busy_or_not(terminal):
    view = LiveView(5, 1, 2)
    assert shown(view) == ["worker 0: starting", "worker 1: starting"]
    view.update(2, "best 97.0%", ["trial 3"])
    assert shown(view) == ["worker 0: trial 3", "worker 1: idle"]
    view.close()


def test_without_workers_there_is_a_line_for_each_that_runs(terminal):
    view = LiveView(5, 1)
    assert shown(view) == []
    view.update(1, "", ["trial 1", "trial 2"])
    assert shown(view) == ["trial 1", "trial 2"]
    view.update(2, "", ["trial 2"])
    assert shown(view) == ["trial 2", ""]
    view.close()


def test_what_the_terminal_has_no_room_for_is_counted(terminal):
    terminal(10)
    view = LiveView(99, 0)
    view.update(0, "", [f"trial {number}" for number in range(16)])
    assert shown(view) == ["trial 0", "trial 1", "trial 2", "and 13 more"]
    view.close()
