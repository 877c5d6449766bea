"""Seeds and images that are crossed: against hand computation, scipy's tests, simulated truth."""

import numpy as np
import pytest
from scipy import stats

from mnist_sweep.confirm.crossed import Crossed, crossed
from mnist_sweep.confirm.intervals import LEVEL, Interval


def of_difference(first, second, level=LEVEL):
    return crossed(np.subtract(first, second, dtype=np.float64)).interval(level)


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


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (9,)])
def test_too_few_seeds_or_images_are_refused(shape):
    with pytest.raises(ValueError, match="at least two seeds and two images"):
        crossed(np.ones(shape))


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


def layout(rng, seeds, images, between, among, rest):
    """Scores [seeds, images] of known components of variance."""
    return (
        rng.normal(0, between, (seeds, 1))
        + rng.normal(0, among, (1, images))
        + rng.normal(0, rest, (seeds, images))
    )


@pytest.mark.parametrize("parts", [(0.1, 1.0, 0.5), (0.0, 0.0, 1.0), (0.2, 0.3, 2.0)])
def test_the_variance_of_the_mean_counts_the_interaction_once(parts):
    between, among, rest = parts
    rng = np.random.default_rng(6)
    found = [crossed(layout(rng, 4, 60, *parts)) for _ in range(800)]
    truth = between**2 / 4 + among**2 / 60 + rest**2 / 240
    assert np.mean([f.interaction for f in found]) == pytest.approx(rest**2 / 240, rel=0.05)
    unbiased = np.mean([f.over_seeds + f.over_images - f.interaction for f in found])
    assert unbiased == pytest.approx(truth, rel=0.1)
    assert np.mean([f.mean**2 for f in found]) == pytest.approx(truth, rel=0.15)


def test_the_variance_is_never_below_that_over_seeds_or_images_alone():
    found = Crossed(0.1, 3, 50, over_seeds=1.0, over_images=2.0, interaction=1.8)
    assert found.variance == 2.0


def test_a_p_value_is_where_the_interval_just_reaches_zero():
    rng = np.random.default_rng(7)
    found = crossed(layout(rng, 5, 100, 0.1, 0.5, 0.5) + 0.2)
    p = found.p_value()
    assert found.interval(1 - p).low == pytest.approx(0.0, abs=1e-9)
    assert found.interval(1 - p / 2).sign == 0
    assert found.interval(1 - 2 * p).sign == 1


@pytest.mark.parametrize(
    ("mean", "variance", "p"), [(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.1, 0.0, 0.0)]
)
def test_a_p_value_without_a_variance_or_a_difference_is_certain(mean, variance, p):
    assert Crossed(mean, 3, 50, variance, 0.0, 0.0).p_value() == p


def test_more_seeds_leave_the_images_share_of_the_variance():
    rng = np.random.default_rng(8)
    found = crossed(layout(rng, 4, 200, 0.1, 1.0, 0.5))
    assert found.with_seeds(4).variance == pytest.approx(found.variance)
    many = found.with_seeds(100_000)
    assert many.variance == pytest.approx(found.over_images - found.interaction, rel=1e-2)


def test_a_detectable_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(9)
    parts = (0.05, 0.5, 0.5)
    truth = np.mean([crossed(layout(rng, 10, 100, *parts)).detectable() for _ in range(200)])
    found = [crossed(layout(rng, 10, 100, *parts) + truth).interval().sign for _ in range(800)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)
