import pytest

from mnist_sweep.sweep.plan.rates import fitted, spread_over
from mnist_sweep.sweep.probe import RunCost


def cost(adds, steps, *seconds, epochs=2):
    return RunCost(epochs, {"adds": adds, "steps": steps}, 0.5, tuple(seconds))


def test_rates_reproduce_seconds_that_are_a_sum_of_work():
    timed = [cost(a, s, 3e-9 * a + 0.001 * s) for a, s in ((1e9, 100), (5e9, 400), (2e9, 800))]
    rates = fitted(timed)
    assert rates.seconds == {"adds": pytest.approx(3e-9), "steps": pytest.approx(0.001)}
    assert rates.error == pytest.approx(0, abs=1e-9)
    assert rates.epoch(cost(4e9, 200)) == pytest.approx(12.2)
    assert rates.run(cost(4e9, 200)) == pytest.approx(0.5 + 2 * 12.2)


def test_no_kind_of_work_takes_less_than_no_time():
    rates = fitted([cost(1e9, 900, 1.0), cost(2e9, 100, 9.0), cost(4e9, 10, 20.0)])
    assert min(rates.seconds.values()) >= 0
    assert rates.error > 0.05


def test_the_median_of_the_measurements_counts_and_their_spread_is_kept():
    rates = fitted([cost(1e9, 0, 1.0, 1.0, 9.0), cost(2e9, 0, 2.0, 2.0, 2.0)])
    assert rates.seconds["adds"] == pytest.approx(1e-9)
    assert rates.spread == pytest.approx(4.62 / 2, abs=0.01)


def test_an_application_that_says_nothing_of_work_has_epochs_that_are_alike():
    rates = fitted([RunCost(3, epoch_seconds=(2.0,)), RunCost(3, epoch_seconds=(2.0,))])
    assert rates.run(RunCost(3)) == pytest.approx(6.0)


def test_what_is_timed_spreads_from_the_cheapest_to_the_dearest():
    costs = [cost(adds, 100) for adds in (5, 1, 9, 3, 7)]
    assert spread_over(costs, 3) == [1, 0, 2]
    assert spread_over(costs, 1) == [1]
    assert sorted(spread_over(costs, 9)) == [0, 1, 2, 3, 4]
