"""Sweeps on clusters of Ray and of Dask, of this machine, by an application of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

pytestmark = pytest.mark.slow

LIMIT = 120  # seconds for what takes one to ten on a machine that has nothing else to do
ENGINES = {"ray_tasks": "ray", "dask_tasks": "distributed"}

APP = """
import json, os, signal, time
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig
from mnist_sweep.sweep.trial import reporting
import beside

@hydra.main(config_path=".", config_name="app")
def main(config):
    folder = Path(HydraConfig.get().runtime.output_dir)
    with reporting(config) as reporter:
        reporter.report(config.x, 1)
        marker = folder / "begun"
        times = marker.stat().st_size if marker.exists() else 0
        marker.write_bytes(b"." * (times + 1))
        if config.do == "kill the node" and not times:
            os.kill(os.getppid(), signal.SIGKILL)
        if config.do != "nothing" and not times:
            try:
                time.sleep(600)
            except KeyboardInterrupt:
                (folder / "interrupted").touch()
                raise
        (folder / "job.json").write_text(json.dumps(
            {"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"], "x": config.x}))
        print("said by trial", config.trial)
    return beside.doubled(config.x)

if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults:
  - _self_
  - override hydra/sweeper: mnist_sweep
x: 0.5
do: nothing
study: null
trial: null
lease: null
hydra:
  sweep: {dir: "multirun/${hydra.sweeper.study_name}", subdir: "${trial}"}
  sweeper:
    study_name: s
    storage: journal:///multirun/study.log
    n_trials: 3
    n_jobs: 2
    sampler: {seed: 0}
    pruner: {_target_: optuna.pruners.NopPruner}
    params: {x: "interval(0.1, 0.9)"}
"""


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    pytest.importorskip(ENGINES[request.param])
    return request.param


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Return a function that starts the application's sweep on an engine."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "app.yaml").write_text(CONFIG)
    (tmp_path / "beside.py").write_text("def doubled(x): return 2 * x\n")
    # Ray's workers are nice to others by 15, for which tests on a busy machine wait for minutes.
    for name, value in (("RAY_worker_niceness", "0"), ("RAY_USAGE_STATS_ENABLED", "0")):
        monkeypatch.setenv(name, value)
    started = []

    def start(engine, *arguments):
        command = [sys.executable, "app.py", "-m", f"hydra/launcher={engine}", *arguments]
        # A group of its own, as a shell gives one to each job: Ctrl-C reaches all of it.
        started.append(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for sweep in started:
        for process in [*_children(sweep.pid), sweep]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        sweep.communicate()


def _children(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def said(sweep, code=0):
    output, _ = sweep.communicate(timeout=LIMIT)
    assert sweep.returncode == code, output
    return output


def trials():
    backend = optuna.storages.journal.JournalFileBackend("multirun/study.log")
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name="s", storage=storage).trials


def wait_until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_sweep_runs_its_trials_as_tasks(app, engine):
    output = said(app(engine, "hydra.launcher.threads=3"))
    name = "Ray" if engine == "ray_tasks" else "Dask"
    assert f"workers: {name}, 2 trials at once, their output in multirun/s/workers" in output
    assert "Warning" not in output
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 3
    jobs = [json.loads(Path(f"multirun/s/{n}/job.json").read_text()) for n in range(3)]
    assert {job["threads"] for job in jobs} == {"3"}
    assert [t.value for t in trials()] == [2 * job["x"] for job in jobs]
    assert len({job["pid"] for job in jobs}) <= 2  # a process stays for the next trial
    printed = "".join(each.read_text() for each in Path("multirun/s/workers").iterdir())
    assert {f"said by trial {n}" for n in range(3)} <= set(printed.splitlines())


def test_more_cores_than_this_machine_has_are_refused_before_ray_starts(app):
    pytest.importorskip("ray")
    output = said(app("ray_tasks", "hydra.launcher.cores=1000"), 1)
    assert output.startswith("error: hydra.launcher.cores=1000: this machine has ")
    assert output.count("\n") == 1


def test_a_trial_whose_node_is_killed_is_run_again(app, engine):
    words = ("do=kill the node", "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=2")
    output = said(app(engine, *words))
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2
    begun = [Path(f"multirun/s/{n}/begun").stat().st_size for n in range(2)]
    assert begun == [2, 2]
    lost = "Ray lost it: " if engine == "ray_tasks" else "the Dask worker that ran it died"
    assert output.count(lost) == 2


RAY = """
from ray.cluster_utils import Cluster
if __name__ == "__main__":
    own = {"object_store_memory": 100 * 1024**2}
    cluster = Cluster(True, head_node_args={"num_cpus": 0, "include_dashboard": False, **own})
    nodes = [cluster.add_node(num_cpus=1, **own)]
    print(cluster.address, flush=True)
    input()
    nodes += [cluster.add_node(num_cpus=1, **own)]
    cluster.remove_node(nodes[0], allow_graceful=False)
    input()
"""


@contextmanager
def outliving(source):
    """A cluster that a program of its own starts, and that program; it says its address first."""
    Path("cluster.py").write_text(source)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    program = subprocess.Popen([sys.executable, "cluster.py"], **pipes)
    try:
        yield program, f"hydra.launcher.address={program.stdout.readline().strip()}"
    finally:
        for process in [*_children(program.pid), program]:
            process.kill()
        program.communicate()


def test_a_trial_whose_whole_ray_node_dies_is_run_again_on_another(app):
    pytest.importorskip("ray")
    with outliving(RAY) as (cluster, address):
        words = ("do=wait", "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=1", address)
        sweep = app("ray_tasks", *words)
        wait_until(lambda: Path("multirun/s/0/begun").exists())
        cluster.stdin.write("\n")
        cluster.stdin.flush()
        assert "trial 0: Ray lost it: NodeDiedError" in said(sweep)
        assert [t.state for t in trials()] == [TrialState.COMPLETE]


def test_ctrl_c_interrupts_the_jobs_and_the_same_command_resumes(app, engine):
    sweep = app(engine, "do=wait", "hydra.sweeper.n_trials=2")
    wait_until(lambda: len(list(Path("multirun/s").glob("?/begun"))) == 2)
    os.killpg(sweep.pid, signal.SIGINT)
    said(sweep, 130)
    assert [t.state for t in trials()] == [TrialState.WAITING] * 2
    assert all(Path(f"multirun/s/{n}/interrupted").exists() for n in range(2))
    said(app(engine, "do=wait", "hydra.sweeper.n_trials=2"))
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2


def test_the_jobs_of_a_sweep_that_is_killed_end_with_it(app, engine):
    sweep = app(engine, "do=wait", "hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1")
    wait_until(lambda: Path("multirun/s/0/begun").exists())
    (job,) = [p for p in _children(sweep.pid) if "jobs.worker import serve" in str(p.cmdline())]
    sweep.kill()
    wait_until(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE)
    said(app(engine, "do=wait", "hydra.sweeper.n_trials=1"))
    assert [t.state for t in trials()] == [TrialState.COMPLETE]


def test_plain_hydra_runs_its_combinations_as_tasks(tmp_path, monkeypatch, engine):
    monkeypatch.setenv("RAY_worker_niceness", "0")
    command = [sys.executable, "-m", "mnist_sweep.train", "-m", "search=none", "model=linear"]
    command += ["data=mnist_5k", "tracking=none", "epochs=1", "batch_size=256", "seed=0,1"]
    command += ["hydra.sweep.dir=out", f"hydra/launcher={engine}", "hydra.launcher.n_jobs=2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    seeds = [json.loads(Path(f"out/{n}/result.json").read_text())["seed"] for n in range(2)]
    assert seeds == [0, 1]


OWN = """
defaults: [dask_tasks]
n_jobs: 2
cluster: {_target_: distributed.LocalCluster, n_workers: 1, threads_per_worker: 1,
          dashboard_address: "127.0.0.1:0"}
"""


def test_a_cluster_class_of_the_users_is_started_with_so_many_workers(app, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    folder = tmp_path / "own" / "hydra" / "launcher"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(OWN)
    monkeypatch.setenv("MNIST_SWEEP_TARGETS", "distributed.LocalCluster")
    words = ["--config-dir", "own", "hydra.sweeper.n_jobs=null", "hydra.sweeper.n_trials=2"]
    assert "workers: Dask, 2 trials at once" in said(app("mine", *words))
    assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2
    assert len(list(Path("multirun/s/workers").iterdir())) == 2


CLUSTER = """
import distributed
if __name__ == "__main__":
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0", memory_limit=0)
    print(cluster.scheduler_address, flush=True)
    input()
"""


def test_a_cluster_that_lives_on_interrupts_the_jobs_of_a_sweep_that_is_killed(app):
    pytest.importorskip("distributed")
    with outliving(CLUSTER) as (_, address):
        sweep = app("dask_tasks", "do=wait", "hydra.sweeper.n_trials=2", address)
        wait_until(lambda: len(list(Path("multirun/s").glob("?/begun"))) == 2)
        sweep.kill()
        wait_until(lambda: len(list(Path("multirun/s").glob("?/interrupted"))) == 2)
        said(app("dask_tasks", "do=wait", "hydra.sweeper.n_trials=2", address))
        assert [t.state for t in trials()] == [TrialState.COMPLETE] * 2
