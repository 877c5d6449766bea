"""The statistics, against hand computation, scipy's own test, and simulated truth."""

import numpy as np
import pytest
from scipy import stats

from mnist_sweep.confirm.intervals import (
    Interval,
    for_another,
    of_difference,
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


def test_one_more_run_lies_where_a_prediction_interval_says():
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(2000):
        *seen, another = rng.normal(0.98, 0.002, 6)
        found = for_another(over_seeds(seen), len(seen))
        inside.append(found.low <= another <= found.high)
    assert np.mean(inside) == pytest.approx(0.95, abs=3 * (0.05 * 0.95 / 2000) ** 0.5)


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (-0.1, 0.0, 0), (0.0, 0.0, 0)],
)
def test_a_difference_has_a_sign_where_its_interval_leaves_zero_out(low, high, sign):
    assert Interval((low + high) / 2, low, high).sign == sign


def test_a_difference_that_varies_over_seeds_alone_is_a_paired_t_interval():
    # Every image of a seed is the same, so that images add nothing.
    right = np.array([True, False, True, True, False, True])
    wrong = np.array([False, False, True, False, False, False])
    first, second = (np.repeat(hits[:, None], 400, 1) for hits in (right, wrong))
    found = of_difference(first, second)
    theirs = stats.ttest_rel(right.astype(float), wrong.astype(float)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_a_difference_that_varies_over_images_alone_is_a_paired_t_interval_of_theirs():
    rng = np.random.default_rng(0)
    right, wrong = rng.random(300) < 0.9, rng.random(300) < 0.8
    first, second = (np.repeat(hits[None], 5, 0) for hits in (right, wrong))
    found = of_difference(first, second)
    theirs = stats.ttest_rel(right.astype(float), wrong.astype(float)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_networks_that_agree_on_every_image_do_not_differ():
    hits = np.ones((3, 50), dtype=bool)
    assert of_difference(hits, hits) == Interval(0.0, 0.0, 0.0)


def test_a_difference_turned_round_has_the_other_sign():
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 4, 100)) < 0.9
    there, back = of_difference(first, second), of_difference(second, first)
    assert (back.mean, back.low, back.high) == pytest.approx((-there.mean, -there.high, -there.low))


@pytest.mark.parametrize(
    ("first", "second"), [((3, 50), (3, 40)), ((3, 50), (2, 50)), ((1, 50), (1, 50)), ((9,), (9,))]
)
def test_hits_of_other_seeds_or_images_are_refused(first, second):
    with pytest.raises(ValueError, match="of the same seeds and images"):
        of_difference(np.ones(first, dtype=bool), np.ones(second, dtype=bool))


def hits_of(rng, ability, difficulty, seeds):
    """Hits [K, N] of networks whose seeds and images both matter, as in a crossed design."""
    logits = ability + seeds[:, None] - difficulty[None, :]
    return rng.random(logits.shape) < 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("between_seeds", [0.0, 0.3, 1.0])
def test_the_interval_of_a_difference_holds_for_other_seeds_and_other_images(between_seeds, seeds):
    """Equal configurations, so that the true difference is zero: at most 5% may say otherwise."""
    rng = np.random.default_rng(2)
    wrong = []
    for _ in range(500):
        difficulty = rng.normal(0, 2, 200)
        first, second = (
            hits_of(rng, 3.0, difficulty, rng.normal(0, between_seeds, seeds)) for _ in range(2)
        )
        wrong.append(of_difference(first, second).sign != 0)
    # Two standard errors of 500 draws above the 5% that are allowed.
    assert np.mean(wrong) < 0.05 + 2 * (0.05 * 0.95 / 500) ** 0.5


def test_a_true_difference_is_found():
    rng = np.random.default_rng(3)
    difficulty = rng.normal(0, 2, 2000)
    better, worse = (hits_of(rng, a, difficulty, rng.normal(0, 0.1, 5)) for a in (4.0, 3.0))
    assert of_difference(better, worse).sign == 1


@pytest.mark.parametrize(("comparisons", "level"), [(0, 0.95), (1, 0.95), (2, 0.975), (5, 0.99)])
def test_intervals_that_hold_together_hold_alone_at_a_higher_level(comparisons, level):
    assert shared_level(comparisons) == pytest.approx(level)
