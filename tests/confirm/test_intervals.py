"""The statistics, against hand computation, scipy's own test, and simulated truth."""

import numpy as np
import pytest

from mnist_sweep.confirm.intervals import (
    Interval,
    holm,
    over_seeds,
    shared_level,
)


def test_an_interval_over_seeds_is_students():
    # Mean 3, standard error sqrt(2.5 / 5), and t(0.975, 4) = 2.776445 from a printed table.
    found = over_seeds([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.high - found.mean == pytest.approx(2.776445 * 0.5**0.5, rel=1e-6)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_an_interval_is_wider_at_a_higher_level():
    values = [0.97, 0.98, 0.975]
    assert over_seeds(values, 0.99).low < over_seeds(values, 0.95).low < over_seeds(values, 0.5).low


@pytest.mark.parametrize("values", [[], [0.5]])
def test_one_seed_has_no_interval(values):
    with pytest.raises(ValueError, match=f"at least two seeds, but got {len(values)}"):
        over_seeds(values)


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (-0.1, 0.0, 0), (0.0, 0.0, 0)],
)
def test_a_difference_has_a_sign_where_its_interval_leaves_zero_out(low, high, sign):
    assert Interval((low + high) / 2, low, high).sign == sign


@pytest.mark.parametrize(("comparisons", "level"), [(0, 0.95), (1, 0.95), (2, 0.975), (5, 0.99)])
def test_intervals_that_hold_together_hold_alone_at_a_higher_level(comparisons, level):
    assert shared_level(comparisons) == pytest.approx(level)


def test_holms_p_values_are_those_of_a_worked_example():
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, and none below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.7, 0.6]) == [1.0, 1.0]


def test_holm_rejects_all_that_bonferroni_does():
    rng = np.random.default_rng(5)
    for values in rng.random((50, 6)) ** 3:
        adjusted = np.array(holm(list(values)))
        assert np.all(adjusted <= np.minimum(6 * values, 1) + 1e-12)
        assert np.all(adjusted >= values)
