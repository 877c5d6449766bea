"""Our launcher under the test suites that Hydra ships for launchers, ours besides."""

import json
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

from mnist_sweep.sweep.launcher import WorkersLauncher

ONE = ["hydra.launcher.n_jobs=1"]


def test_the_launcher_is_known_to_hydra():
    assert WorkersLauncher in Plugins.instance().discover(Launcher)


@pytest.mark.parametrize(("launcher_name", "overrides"), [("workers", ONE)])
class TestWorkersLauncher(LauncherTestSuite):
    """Upstream's tests of any launcher."""


@pytest.mark.parametrize("launcher_name", ["workers"])
@pytest.mark.parametrize("overrides", [["hydra.sweeper.max_batch_size=2"]])
class TestWorkersLauncherBatches(BatchedSweeperTestSuite):
    """Upstream's tests of batches."""


@pytest.mark.slow  # each starts programs of its own, which the other suites do without
@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=workers", "hydra.launcher.n_jobs=1"])],
)
class TestWorkersLauncherIntegration(IntegrationTestSuite):
    """Upstream's tests of an application on the command line."""


def test_plain_hydra_runs_its_combinations_in_workers(command):
    arguments = ["-m", "search=none", "hydra/launcher=workers", "model=linear", "data=mnist_5k"]
    arguments += ["tracking=none", "epochs=1", "batch_size=256", "hydra.sweep.dir=out"]
    assert command(*arguments, "seed=0,1,2") == 0
    seeds = [
        json.loads(Path(f"out/{number}/result.json").read_text())["seed"] for number in range(3)
    ]
    assert seeds == [0, 1, 2]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("n_jobs=-1", "hydra.launcher.n_jobs must be a whole number of at least 1, but got -1"),
        ("n_jobs=0", "hydra.launcher.n_jobs must be a whole number of at least 1, but got 0"),
        ("n_jobs=abc", "hydra.launcher.n_jobs must be a whole number of at least 1, but got 'abc'"),
        ("threads=-1", "hydra.launcher.threads must be a whole number of at least 1, but got -1"),
        ("max_retries=null", "hydra.launcher.max_retries must be a whole number of at least 0"),
    ],
)
@pytest.mark.parametrize("sweeper", [["search=none"], ["search=command_line"]])
def test_what_is_no_number_of_workers_is_one_line(command, capfd, setting, message, sweeper):
    arguments = ["-m", *sweeper, "hydra/launcher=workers", "model=linear", "data=mnist_5k"]
    assert command(*arguments, "seed=0,1", f"hydra.launcher.{setting}") == 1
    line = capfd.readouterr().err.strip()
    assert line.startswith(f"error: {message}")
    assert "\n" not in line
