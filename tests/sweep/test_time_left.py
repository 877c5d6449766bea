"""How long a sweep has left."""

import os

import pytest

from mnist_sweep.sweep.time_left import Pace
from tests.clock import Clock


def begin(tmp_path, number, at):
    config = tmp_path / str(number) / ".hydra" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.touch()
    os.utime(config, (at, at))


@pytest.fixture
def clock():
    return Clock()


def test_it_is_unknown_until_a_trial_has_ended(tmp_path, clock):
    pace = Pace(tmp_path, 2, clock)
    pace.start(0)
    assert pace.left(8) is None


def test_what_processes_take_to_start_is_no_part_of_a_trial(tmp_path, clock):
    pace = Pace(tmp_path, 2, clock)
    for number in (0, 1):
        pace.start(number)
        assert not pace.has_begun(number)
        begin(tmp_path, number, 1030.0)  # half a minute later
        assert pace.has_begun(number)
    clock.now = 1034.0
    pace.end(0)
    assert pace.left(7) == pytest.approx(12.0)  # 6 trials of 4 s in 2 workers; trial 1 is due
    pace.end(1)
    assert pace.left(6) == pytest.approx(12.0)


def test_the_rest_of_a_resumed_trial_is_not_taken_for_a_whole_one(tmp_path, clock):
    begin(tmp_path, 0, 500.0)  # by an earlier call, which was ended
    pace = Pace(tmp_path, 1, clock)
    pace.start(0)
    clock.now = 1005.0
    pace.end(0)
    assert pace.left(3) is None
    pace.start(1)
    begin(tmp_path, 1, 1005.0)
    clock.now = 1065.0
    pace.end(1)
    assert pace.left(2) == pytest.approx(120.0)


def test_no_trial_is_over_before_its_time(tmp_path, clock):
    pace = Pace(tmp_path, 4, clock)
    for number in (0, 1):
        pace.start(number)
        begin(tmp_path, number, 1000.0)
    clock.now = 1010.0
    pace.end(0)
    assert pace.left(2) == pytest.approx(10.0)  # one waits, and takes as long as any
    clock.now = 1050.0
    assert pace.left(1) == 0.0  # trial 1 takes longer than the other did


def test_a_job_that_writes_no_config_counts_from_when_it_was_given_out(tmp_path, clock):
    pace = Pace(tmp_path, 1, clock)
    pace.start(0)
    clock.now = 1005.0
    pace.end(0)
    assert pace.left(2) == pytest.approx(10.0)


def test_no_more_is_left_than_the_timeout_leaves(tmp_path, clock):
    pace = Pace(tmp_path, 1, clock, timeout=30.0)
    pace.start(0)
    begin(tmp_path, 0, 1000.0)
    clock.now = 1010.0
    pace.end(0)
    assert pace.left(50) == pytest.approx(20 + 10 / 2)  # the last one is launched before the end
    assert pace.left(1) == pytest.approx(10)
    pace.start(1)
    begin(tmp_path, 1, 1010.0)
    clock.now = 1031.0
    assert pace.left(50) == 0.0  # nothing is launched, and what runs is due
