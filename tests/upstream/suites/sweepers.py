"""Hydra's suite for applications over our sweeper, by its own name and in the stock one's place."""

import pytest
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite

# The suite's applications return nothing: a failed trial, and a sweep that has done its work.
ONE = ["hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1"]


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [
        pytest.param(
            {},
            ["-m", f"hydra/launcher={launcher}", f"hydra/sweeper={sweeper}", *ONE],
            id=f"{sweeper}-{launcher}",
        )
        for launcher in ("basic", "workers")
        for sweeper in ("optuna", "mnist_sweep")
    ],
)
class TestApplications(IntegrationTestSuite):
    """Upstream's tests of an application on the command line."""
