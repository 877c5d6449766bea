"""The command that submits an array: its script, what it says, and what it refuses in one line."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.inputs.commands import call

SEARCH = ["data=mnist_5k", "epochs=3", "hydra.sweeper.n_trials=40"]
# An sbatch that keeps the script, and answers as Slurm's does.
SBATCH = """#!/bin/sh
cat > script
[ -z "$SAID" ] || { echo "$SAID" >&2; exit 1; }
echo "${ANSWER:-4711}"
"""


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that gives the command; it returns its exit code and what it says."""

    def run(*words):
        monkeypatch.setattr("sys.argv", [])
        code = call(["slurm", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def sbatch(monkeypatch, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text(SBATCH)
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def options(script):
    lines = [line for line in script.splitlines() if line.startswith("#SBATCH ")]
    return [shlex.split(line)[1] for line in lines]


def test_the_script_runs_the_sweep_in_each_task_on_one_storage(command):
    sweep = [*SEARCH, "optimizer.lr=tag(log, interval(0.001, 0.1))", "hydra.sweeper.study_name=a b"]
    code, script, _ = command("tasks=16", "dry_run=true", *sweep)
    assert code == 0
    *_, last = script.splitlines()
    assert shlex.split(last) == [
        *("exec", sys.executable, "-m", "mnist_sweep.train", "-m", *sweep),
        "hydra.sweeper.storage=journal:///multirun/optuna.log",
    ]
    assert options(script) == [
        "--job-name=a b",
        "--array=0-15",
        "--cpus-per-task=1",
        f"--output={Path.cwd()}/multirun/a b/workers/slurm-%A_%a.log",
        "--open-mode=append",
        "--requeue",
        "--signal=B:TERM@60",
        f"--chdir={Path.cwd()}",
    ]
    assert not Path("multirun").exists(), "nothing is made for a look"


def test_what_a_task_gets_is_asked_of_slurm_in_its_units(command):
    words = ["at_once=4", "cpus=2", "gpus=1", "memory_gb=1.5", "hours=0.3", "partition=p"]
    words += ["account=a", "options=--nice=10 --comment='two words'", "setup=module load cuda"]
    _, script, _ = command("tasks=8", "dry_run=true", *words, *SEARCH)
    wanted = ["--array=0-7%4", "--cpus-per-task=2", "--gres=gpu:1", "--mem=1536M", "--time=18"]
    wanted += ["--partition=p", "--account=a", "--nice=10", "--comment=two words"]
    assert set(wanted) <= set(options(script))
    assert "module load cuda" in script.splitlines()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "tasks= must be given"),
        (["tasks=0"], "tasks must be at least 1, but got 0"),
        (["tasks=many"], "many"),
        (["tasks=2", "cpus=0"], "cpus must be at least 1, but got 0"),
        (["tasks=2", "at_once=0"], "at_once must be at least 1, but got 0"),
        (["tasks=2", "at_once=3"], "at_once=3 has no effect with tasks=2: leave it out"),
        (["tasks=2", "gpus=-1"], "gpus must be at least 0, but got -1"),
        (["tasks=2", "hours=0"], "hours must be greater than 0 and finite, but got 0"),
        (["tasks=2", "hours=0.01"], "hours must be above 0.0167 (60 s), but got 0.01: SIGTERM"),
        (["tasks=2", "memory_gb=nan"], "memory_gb must be greater than 0 and finite, but got nan"),
        (["tasks=2", "options=a100"], "'a100' is no option of sbatch's"),
        (["tasks=2", "options='"], "no closing quotation"),
        (["tasks=2", "setup=a\nb"], "must be one line"),
        (["tasks=2", "storage=sqlite:///x.db"], "SQLite's write-ahead log cannot be shared"),
        (["tasks=2", "storage=null"], "storage=null is the memory of one process"),
        (["tasks=2", "storage=x"], "storage=x cannot be read"),
        (["tasks=2", "storage=postgresql://u:secret@h/d"], "postgresql://u:***@h/d has a password"),
        (["tasks=2", "hydra.sweeper.storage=null"], "give storage="),
        (["tasks=2", "hydra/launcher=submitit_slurm"], "would submit jobs out of each task"),
        (["tasks=2", "search=none"], "hydra/sweeper=combinations has no study"),
        (["tasks=2", "hydra.sweeper.study_name=a/0"], "must name a directory"),
        (["tasks=2", "hydra.sweeper.n_trials=0"], "n_trials must be at least 1, but got 0"),
        (["tasks=2", "hydra.sweeper.n_trials=many"], "n_trials"),
        (["tasks=2", "hydra.sweeper.sampler.seed=1", "hydra.sweeper.n_trial=3"], "n_trial"),
        (["tasks=2", "epochs=0"], "epochs must be at least 1"),
        (["tasks=2", "epoch=3"], "epoch"),
        (["tasks=2", "epochs"], "epochs"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_before_anything_is_made(
    command, sbatch, words, said
):
    code, out, error = command(*words, "data=mnist_5k")
    assert (code, out) == (1, "")
    assert said in error
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1
    assert "secret" not in error
    assert not Path("multirun").exists()
    assert not Path("script").exists()


def test_what_was_submitted_is_said_with_how_to_watch_and_end_it(command, sbatch):
    code, said, _ = command("tasks=3", "cpus=2", *SEARCH)
    assert code == 0
    assert said.splitlines() == [
        "study schedule-enhanced-mnist_5k in journal:///multirun/optuna.log: 40 trials in all",
        "submitted job 4711: 3 tasks of 2 cores each",
        "output: multirun/schedule-enhanced-mnist_5k/workers/slurm-4711_*.log",
        "watch it: python -m mnist_sweep.watch study=schedule-enhanced-mnist_5k "
        "storage=journal:///multirun/optuna.log",
        "its tasks: squeue --job 4711; to end it: scancel 4711",
    ]
    assert Path("multirun/schedule-enhanced-mnist_5k/workers").is_dir(), "Slurm makes no folder"
    assert Path("script").read_text().startswith("#!/bin/bash\n#SBATCH ")


def test_a_cluster_that_names_itself_beside_the_job_is_understood(command, sbatch, monkeypatch):
    monkeypatch.setenv("ANSWER", "99;north")
    assert "submitted job 99: " in command("tasks=1", *SEARCH)[1]


def test_what_sbatch_says_against_it_is_one_line(command, sbatch, monkeypatch):
    monkeypatch.setenv("SAID", "sbatch: error: invalid partition specified: x\nsbatch: error: no")
    code, out, error = command("tasks=1", *SEARCH)
    assert (code, out) == (1, "")
    assert error == ("error: sbatch does not take the script: invalid partition specified: x no\n")


def test_without_slurm_the_script_can_still_be_had(command, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, _, error = command("tasks=1", *SEARCH)
    assert (code, error.splitlines()[0][:24]) == (1, "error: sbatch is not her")
    assert "dry_run=true" in error
    assert command("tasks=1", "dry_run=true", *SEARCH)[0] == 0
