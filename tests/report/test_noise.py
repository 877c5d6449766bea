"""What the images alone leave open."""

import math
from statistics import NormalDist

import pytest

from mnist_sweep.report.noise import Judged


def test_the_interval_is_wilsons():
    z, n, p = NormalDist().inv_cdf(0.975), 500, 0.97
    middle, around = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    low, high = ((middle + sign * around) / (1 + z**2 / n) for sign in (-1, 1))
    found = Judged(n).interval(p)
    assert (found.low, found.mean, found.high) == pytest.approx((low, p, high), abs=1e-12)


def test_an_interval_of_all_right_ends_at_all_and_is_no_point():
    found = Judged(500).interval(1.0)
    assert found.high == 1.0
    assert 0.99 < found.low < 1.0


@pytest.mark.parametrize(
    ("other", "same"), [(0.97, True), (0.966, True), (0.95, True), (0.94, False), (0.5, False)]
)
def test_on_500_images_two_points_are_noise_and_three_are_not(other, same):
    assert Judged(500).alike(0.97, other) is same


def test_on_more_images_less_of_a_difference_is_enough():
    assert Judged(500).alike(0.97, 0.96)
    assert not Judged(10_000).alike(0.97, 0.96)


@pytest.mark.parametrize(
    ("images", "said"), [(50, "97%"), (100, "97%"), (500, "97.0%"), (10_000, "97.00%")]
)
def test_a_percentage_has_the_digits_that_the_images_allow(images, said):
    assert Judged(images).percent(0.97) == said
