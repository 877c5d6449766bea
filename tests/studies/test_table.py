"""The table of studies fits a terminal, whatever they are called."""

from datetime import datetime, timedelta

import pytest

from mnist_sweep.studies.listing import Best, Entry, State
from mnist_sweep.studies.table import age, table
from mnist_sweep.sweep.trials.status import TrialStatus

NOW = datetime(2026, 3, 1, 12)


def entry(name="schedule-enhanced-mnist_5k", **more):
    best = Best(3, (0.9943,), "99.43%", 19_306)
    given = {
        "counts": {TrialStatus.COMPLETE: 140, TrialStatus.REJECTED: 7},
        "total": 200,
        "directions": ["maximize"],
        "best": best,
        "front": [3],
        "started": NOW - timedelta(hours=3, minutes=12),
        "changed": NOW - timedelta(seconds=40),
        **more,
    }
    return Entry(name, State.RUNNING, **given)


def test_a_usual_study_is_one_line_of_80_columns():
    lines = table([entry()], 80, NOW)
    assert lines[1].split() == [
        *("schedule-enhanced-mnist_5k", "140/200", "running", "99.43%", "19,306"),
        *("3h12m", "40s"),
    ]
    assert all(len(line) <= 80 for line in lines)


def test_a_long_name_has_a_line_to_itself_and_is_not_cut():
    name = "architecture-compact-mnist-with-notes-on-it" * 2
    lines = table([entry(name), entry("short")], 80, NOW)
    assert lines[1] == name
    assert lines[2].split()[0] == "140/200"
    assert lines[3].startswith("short ")
    assert all(len(line) <= 80 for line in (lines[0], *lines[2:]))


def test_a_front_and_what_is_not_known_are_said_as_such():
    front = entry("f", directions=["maximize", "minimize"], front=[1, 2, 3])
    empty = entry("e", best=None, front=[], total=None, counts={}, started=None, changed=None)
    damaged = Entry("d", State.UNREADABLE, reason="x")
    _, first, second, third = table([front, empty, damaged], 80, NOW)
    assert "front of 3" in first
    assert second.split() == ["e", "0", "running"]
    assert third.split() == ["d", "unreadable"]


def test_a_name_cannot_move_the_cursor():
    assert "\\x1b[2J" in table([entry("\x1b[2J")], 80, NOW)[1]


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=-5), "0s"),
        (timedelta(minutes=5, seconds=7), "5m07s"),
        (timedelta(hours=47), "47h00m"),
        (timedelta(days=12, hours=3), "12d"),
        (timedelta(days=2_000), "2,000d"),
    ],
)
def test_an_age_is_short(ago, said):
    assert age(NOW - ago, NOW) == said
