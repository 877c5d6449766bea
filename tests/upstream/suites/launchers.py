"""Hydra's suites for launchers, under its basic sweeper, on ours."""

import pytest
from hydra.core.plugins import Plugins
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

Plugins.instance()  # once: each test leaves Hydra as it found it, without any plugin otherwise

TWO = ["hydra.launcher.n_jobs=2"]
SILENT = ["hydra/hydra_logging=disabled", "hydra/job_logging=disabled"]


@pytest.mark.parametrize(("launcher_name", "overrides"), [("workers", TWO)])
class TestWorkers(LauncherTestSuite):
    """Upstream's tests of any launcher."""


@pytest.mark.parametrize("launcher_name", ["workers"])
@pytest.mark.parametrize("overrides", [["hydra.sweeper.max_batch_size=2", *TWO]], ids=["batches"])
class TestBatches(BatchedSweeperTestSuite):
    """Upstream's tests of batches."""


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=workers", *TWO, *more]) for more in ([], SILENT)],
    ids=["logging", "no_logging"],
)
class TestApplications(IntegrationTestSuite):
    """Upstream's tests of an application on the command line."""
