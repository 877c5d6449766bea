"""The launchers of clusters: what they are known by, what they refuse; no engine is started."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf

from mnist_sweep.sweep import cluster_launchers
from mnist_sweep.sweep.cluster_launchers import DaskTasksLauncher, RayTasksLauncher
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.jobs.dask_cluster import made

SWEEP = ["-m", "search=command_line", "model=linear", "data=mnist_5k", "seed=0,1"]
CLUSTER = "hydra.launcher.cluster"


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch):
    """Neither engine is imported, let alone started, unless a test says so."""
    for name in ("ray", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)


def test_both_are_known_to_hydra_once_a_program_composes(composed):
    composed()
    assert {RayTasksLauncher, DaskTasksLauncher} <= set(Plugins.instance().discover(Launcher))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ray_tasks", "cores=0"], "cores must be a whole number of at least 1, but got 0"),
        (["ray_tasks", "cores=x"], "cores must be a whole number of at least 1, but got 'x'"),
        (["ray_tasks", "gpus=-1"], "gpus must be a number of at least 0, but got -1"),
        (["ray_tasks", "threads=0"], "threads must be a whole number of at least 1, but got 0"),
        (
            ["ray_tasks", "resources={fast: many}"],
            "resources.fast must be a number of at least 0, but got 'many'",
        ),
        (["dask_tasks", "n_jobs=0"], "n_jobs must be a whole number of at least 1, but got 0"),
        (
            ["dask_tasks", "max_retries=-1"],
            "max_retries must be a whole number of at least 0, but got -1",
        ),
        (
            ["dask_tasks", "address=a:1", "scheduler_file=b"],
            "address and hydra.launcher.scheduler_file name a cluster each: leave all but one out",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_line(command, capfd, words, message):
    launcher, *settings = words
    arguments = [f"hydra/launcher={launcher}", *(f"hydra.launcher.{each}" for each in settings)]
    assert command(*SWEEP, *arguments) == 1
    line = capfd.readouterr().err.strip()
    assert line == f"error: hydra.launcher.{message}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["dask_tasks", "resources={GPU: 1}"],
            "resources={'GPU': 1}: the processes that Dask starts on this machine have none; name "
            "a cluster by hydra.launcher.address",
        ),
        (
            ["dask_tasks", "scheduler_file=none.json"],
            "scheduler_file=none.json is not there: start the scheduler first (dask scheduler "
            "--scheduler-file none.json)",
        ),
    ],
)
def test_what_dask_would_wait_for_without_a_word_is_one_line(
    command, capfd, monkeypatch, words, message
):
    monkeypatch.setattr(cluster_launchers, "_require", lambda module, extra: None)
    test_a_setting_that_makes_no_sense_is_one_line(command, capfd, words, message)


@pytest.mark.parametrize(("launcher", "extra"), [("ray_tasks", "ray"), ("dask_tasks", "dask")])
def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    command, capfd, monkeypatch, launcher, extra
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert command(*SWEEP, f"hydra/launcher={launcher}") == 1
    assert f"pip install '.[{extra}]'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("machines", "refused"),
    [({"here"}, None), ({"here", "b", "a"}, "a, b: set"), ({*"abcde"}, "a, b, c and others")],
)
def test_sqlite_is_refused_where_the_cluster_has_other_machines(monkeypatch, machines, refused):
    monkeypatch.setattr(cluster_launchers.socket, "gethostname", lambda: "here")
    closed = []
    executor = SimpleNamespace(machines=lambda: machines, close=lambda: closed.append(True))
    if refused is None:
        cluster_launchers._check_machines(executor)
        assert not closed
        return
    with pytest.raises(SweepError, match=refused):
        cluster_launchers._check_machines(executor)
    assert closed


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("SLURMCluster", "must name a cluster class by its _target_, as in .* got SLURMCluster"),
        ({"queue": "gpu"}, "must name a cluster class by its _target_"),
    ],
)
def test_a_cluster_without_a_class_is_one_line(node, message):
    given = OmegaConf.create(node) if isinstance(node, dict) else node
    with pytest.raises(SweepError, match=f"{CLUSTER} {message}"):
        made(given, 2)


@pytest.mark.parametrize(
    ("target", "allowed", "message"),
    [
        ("dask_jobqueue.SLURMCluster", "", "is not allowed here; if you trust it, set"),
        ("os.system", "os.system", "cannot be authorized"),
        ("fractions.Fraction", "fractions.Fraction", "class Fraction does not give a Cluster"),
        ("distributed.LocalCluster", "distributed.*", "needs hydra.sweeper.n_jobs: how many"),
    ],
)
def test_only_a_cluster_class_that_the_user_allows_is_called(monkeypatch, target, allowed, message):
    for name in ("ray", "distributed"):
        monkeypatch.delitem(sys.modules, name)
    pytest.importorskip("distributed")
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", allowed)
    with pytest.raises(SweepError, match=message):
        made(OmegaConf.create({"_target_": target}), None)


def test_help_imports_no_engine():
    code = "import sys; from mnist_sweep.sweep import search_path; "
    code += "assert not {'ray', 'distributed', 'torch', 'optuna'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
