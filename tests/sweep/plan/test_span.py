import pytest

from mnist_sweep.sweep.plan.span import span

WHOLE = [[1.0] * 10]


def test_equal_trials_on_workers_take_their_rounds():
    found = span([4.0], WHOLE, trials=10, workers=4, start_up=5.0, spread=0.0)
    assert (found.seconds, found.low, found.high) == (17.0, 17.0, 17.0)
    assert found.launched == 10


def test_a_pruned_trial_takes_its_share_but_its_overhead_stays():
    found = span([5.0], [[0.5, 0.5]], trials=2, workers=1, start_up=0, spread=0, overhead=1.0)
    assert found.seconds == pytest.approx(6.0)


def test_a_study_that_is_resumed_has_the_last_shares():
    found = span([10.0], [[1.0, 1.0, 0.1]], trials=1, workers=1, start_up=0, spread=0)
    assert found.seconds == pytest.approx(1.0)


def test_no_trial_begins_after_the_timeout_and_running_ones_end():
    found = span([4.0], WHOLE, trials=10, workers=2, start_up=1, spread=0, timeout=7.0)
    assert (found.seconds, found.launched) == (9.0, 4)


def test_draws_and_the_machine_spread_the_estimate():
    same = span([10.0], WHOLE, trials=10, workers=2, start_up=0, spread=0.0)
    drawn = span([5.0, 15.0], WHOLE, trials=10, workers=2, start_up=0, spread=0.0)
    noisy = span([10.0], WHOLE, trials=10, workers=2, start_up=0, spread=0.1)
    assert same.low == same.high
    assert drawn.low < same.seconds < drawn.high
    assert noisy.low < same.seconds < noisy.high
