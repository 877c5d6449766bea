"""How well a share is known."""

import pytest
from scipy.stats import binomtest

from mnist_sweep.sweep.proportion import wilson


@pytest.mark.parametrize(("right", "images"), [(0, 10), (485, 500), (9_943, 10_000), (500, 500)])
def test_the_interval_is_wilsons(right, images):
    expected = binomtest(right, images).proportion_ci(0.95, "wilson")
    assert wilson(right / images, images) == pytest.approx(tuple(expected), abs=1e-7)
