"""The statistics, against hand computation, scipy's own test, and simulated truth."""

import numpy as np
import pytest

from mnist_sweep.confirm.intervals import (
    Interval,
    holm,
    in_pairs,
    over_seeds,
    over_splits,
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


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7, 10])
@pytest.mark.parametrize("value", [0.9955, 0.9801, 0.1, 0.9873])
def test_seeds_with_the_same_figure_have_exactly_that_and_no_interval(value, count):
    assert over_seeds([value] * count) == Interval(value, value, value)


def test_runs_on_several_splits_are_averaged_by_split_first():
    figures = [(1, 0.990), (2, 0.994), (1, 0.992), (2, 0.996)]
    assert over_splits(figures) == over_seeds([0.991, 0.995])
    assert over_splits([(3, 0.99), (3, 0.98), (3, 0.985)]) == over_seeds([0.99, 0.98, 0.985])


def test_pairs_are_of_the_seeds_that_both_have():
    first, other = {0: 0.9, 1: 0.8, 2: 0.7}, {1: 0.75, 2: 0.6, 3: 0.1}
    assert in_pairs(first, other, 0.9) == over_seeds([0.8 - 0.75, 0.7 - 0.6], 0.9)
    assert in_pairs({0: 0.9, 1: 0.8}, {1: 0.7, 2: 0.6}, 0.9) is None


def test_seeds_that_happen_to_differ_alike_prove_nothing_where_figures_are_rounded():
    """Equal arms: binomial hits of 500 images. At most 5% of pairs may say otherwise."""
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(2000):
        first, other = (dict(enumerate(rng.binomial(500, 0.99, 2) / 500)) for _ in range(2))
        wrong.append(in_pairs(first, other, 0.95, 1 / 500).sign != 0)
    assert np.mean(wrong) < 0.05
    alike = in_pairs({0: 0.99, 1: 0.992}, {0: 0.986, 1: 0.988}, 0.95, 1 / 500)
    assert alike.mean == pytest.approx(0.004)
    assert alike.sign == 0
    assert in_pairs({0: 0.99, 1: 0.992}, {0: 0.986, 1: 0.988}, 0.95).sign == 1


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
