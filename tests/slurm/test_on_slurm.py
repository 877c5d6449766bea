"""Sweeps on a real Slurm of one machine, which this file starts and stops."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.retries import DEATHS
from mnist_sweep.sweep.trials.status import FINISHED, status_of, was_launched
from tests.slurm import cluster as slurm

pytestmark = pytest.mark.slow

STORAGE = "journal:///multirun/optuna.log"
# A trial lasts for some seconds, so that there is something to interrupt.
SEARCH = ["search=command_line", "model=mlp", "model.hidden=range(5, 25)", "data=mnist_5k"]
SEARCH += ["tracking=none", "threads=1", "hydra/sweeper/pruner=none"]


@pytest.fixture(scope="module")
def cluster():
    reason = slurm.missing()
    if reason:
        pytest.skip(reason)
    with slurm.cluster() as running:
        yield running


def run(*words):
    """Run a command of ours, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def submit(name, tasks, *words):
    """Submit an array, and return the number of its job."""
    study = f"hydra.sweeper.study_name={name}"
    printed = run("mnist_sweep.slurm", f"tasks={tasks}", study, *SEARCH, *words)
    return re.search(r"submitted job (\d+): ", printed).group(1)


def read(name):
    storage = open_storage(STORAGE)
    try:
        return optuna.load_study(study_name=name, storage=storage.optuna).trials
    except KeyError:  # there is none yet
        return []
    finally:
        storage.close()


def lines(name, number):
    """The lines of a trial's metrics, without what depends on the machine's load."""
    path = Path("multirun", name, str(number), "metrics.jsonl")
    timing = ("seconds", "images_per_second")
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{key: value for key, value in line.items() if key not in timing} for line in found]


def outputs(name):
    paths = Path("multirun", name, "workers").glob("slurm-*.log")
    return {path.stem.rpartition("_")[2]: path.read_text() for path in paths}


def is_exact(trials, total):
    """Whether a study has so many launched trials, each of which has ended as complete."""
    launched = [trial for trial in trials if was_launched(trial)]
    finished = [trial for trial in launched if status_of(trial) in FINISHED]
    return (
        len(launched) == len(finished) == total
        and {trial.state for trial in trials} == {TrialState.COMPLETE}
        and len({tuple(trial.params.values()) for trial in trials}) == total
    )


def test_a_sweep_in_batches_by_submitit_runs_each_trial_as_a_job_of_its_own(cluster):
    words = [*SEARCH, "epochs=1", "hydra/launcher=submitit_slurm", "hydra.sweeper.n_jobs=2"]
    words += ["hydra.launcher.timeout_min=5", "hydra.sweeper.n_trials=3"]
    words += [f"hydra.sweeper.storage={STORAGE}", "hydra.sweeper.study_name=batches"]
    printed = run("mnist_sweep.train", "-m", *words)
    assert "SlurmLauncher, in batches of 2" in printed
    assert is_exact(read("batches"), 3)
    scripts = list(Path("multirun/batches/.submitit").rglob("*submission.sh"))
    assert len(scripts) == 2, "a batch of two, and one of one"


def test_an_array_of_which_a_task_is_cancelled_and_another_requeued_loses_no_trial(cluster):
    job = submit("array", 3, "epochs=10", "hydra.sweeper.n_trials=7")

    def all_at_work():
        running = [t for t in read("array") if t.state == TrialState.RUNNING and was_launched(t)]
        return len([t for t in running if lines("array", t.number)]) >= 3

    cluster.wait(all_at_work, "three trials with an epoch each")
    cluster.ask("scancel", f"{job}_1")
    cluster.requeue(f"{job}_0")
    cluster.wait(lambda: cluster.is_over(job), "the array's end")
    trials = read("array")
    assert is_exact(trials, 7), [(t.number, t.state, t.user_attrs.get("reason")) for t in trials]
    said = outputs("array")
    assert "interrupted: the same command resumes the study" in said["1"]
    assert said["0"].count("study array in journal:") == 2, "it was requeued, and began again"
    for trial in trials:
        assert [line["epoch"] for line in lines("array", trial.number)] == list(range(1, 11))
        assert DEATHS not in trial.system_attrs, "an interruption is no death"


def test_a_preempted_job_saves_and_resumes_with_the_metrics_of_one_that_was_not(cluster):
    words = ["epochs=20", "hydra.sweeper.n_trials=1", "hydra.sweeper.n_jobs=1"]
    job = submit("preempted", 1, f"cpus={slurm.CPUS}", *words)
    cluster.wait(lambda: len(lines("preempted", 0)) >= 3, "three epochs")
    urgent = ["--partition=urgent", f"--cpus-per-task={slurm.CPUS}", "--output=/dev/null"]
    cluster.ask("sbatch", *urgent, "--wrap=true")
    cluster.hurry(f"{job}_0")
    before = len(lines("preempted", 0))
    assert 3 <= before < 20, "it was preempted in the middle"
    cluster.wait(lambda: cluster.is_over(job), "the job's end")
    assert is_exact(read("preempted"), 1)
    assert "DUE TO PREEMPTION" in outputs("preempted")["0"]

    same = [*SEARCH, *words, "hydra.sweeper.storage=null", "hydra.sweeper.study_name=not"]
    run("mnist_sweep.train", "-m", *same)
    assert lines("preempted", 0) == lines("not", 0)


def test_a_task_trains_as_many_trials_at_a_time_as_it_has_cores(cluster):
    job = submit("two", 1, "cpus=2", "epochs=1", "hydra.sweeper.n_trials=2")
    cluster.wait(lambda: cluster.is_over(job), "the job's end")
    assert is_exact(read("two"), 2)
    workers = "2 processes of this machine" if (os.cpu_count() or 1) >= 2 else "1 process"
    assert f"workers: {workers}" in outputs("two")["0"]


def test_what_sbatch_refuses_is_said_in_its_words(cluster):
    command = [sys.executable, "-m", "mnist_sweep.slurm", "tasks=2", "partition=nowhere", *SEARCH]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nowhere" in done.stderr or "invalid partition" in done.stderr
    assert len(done.stderr.splitlines()) == 1
