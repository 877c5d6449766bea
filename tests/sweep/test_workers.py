"""Whole sweeps in worker processes: trials that misbehave, kills, interrupts, what goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from mnist_sweep.sweep.trials.status import status_of

pytestmark = pytest.mark.slow

STORAGE = "sqlite:///multirun/optuna.db"
SWEEP = [sys.executable, "-m", "mnist_sweep.train", "-m", "search=command_line", "data=mnist_5k"]
SWEEP += ["tracking=none", "hydra.sweeper.n_jobs=2", "hydra/sweeper/pruner=none"]
MLP = ["model=mlp", "model.hidden=range(10, 25)", "optimizer.lr=tag(log, interval(0.001, 0.1))"]
MLP += ["batch_size=32"]

# A model that trains as logistic regression does, or misbehaves in its first real forward pass.
ODD = """
import os, sys, time
import torch

class Odd(torch.nn.Module):
    def __init__(self, mode: str = "good"):
        super().__init__()
        self.linear = torch.nn.Linear(784, 10)
        self.mode = mode

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        if images.device.type == "meta":
            return logits
        if self.mode == "raise":
            raise ValueError("a bug in the model")
        if self.mode == "not_a_number":
            return logits * float("nan")
        if self.mode == "sys_exit":
            sys.exit(4)
        if self.mode == "os_exit":
            os._exit(5)
        if self.mode == "segfault":
            os.kill(os.getpid(), 11)
        if self.mode == "hang":
            time.sleep(600)
        return logits
"""


def start(name, *arguments, **environment):
    command = [*SWEEP, f"hydra.sweeper.study_name={name}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())} | environment
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def complete(name, *arguments, **environment):
    sweep = start(name, *arguments, **environment)
    printed = sweep.communicate(timeout=300)[0]
    assert sweep.returncode == 0, printed
    return printed


def trials(name):
    return optuna.load_study(study_name=name, storage=STORAGE).trials


def metrics(name, number):
    """A run's lines without what depends on the machine's load."""
    lines = Path(f"multirun/{name}/{number}/metrics.jsonl").read_text().splitlines()
    timing = ("seconds", "images_per_second")
    return [{k: v for k, v in json.loads(line).items() if k not in timing} for line in lines]


def result(name, number):
    return json.loads(Path(f"multirun/{name}/{number}/result.json").read_text())


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def epochs(name, number):
    path = Path(f"multirun/{name}/{number}/metrics.jsonl")
    return path.read_bytes().count(b"\n") if path.exists() else 0


def workers_of(sweep):
    return [
        child
        for child in psutil.Process(sweep.pid).children()
        if "mnist_sweep.sweep.jobs.worker" in " ".join(child.cmdline())
    ]


def test_trials_that_misbehave_fail_with_their_reasons_and_the_sweep_goes_on():
    Path("odd_models.py").write_text(ODD)
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/odd.yaml").write_text("_target_: odd_models.Odd\nmode: good\n")
    modes = ["good", "raise", "not_a_number", "sys_exit", "os_exit", "segfault", "hang"]
    printed = complete(
        "odd",
        "--config-dir=conf",
        "model=odd",
        f"model.mode={','.join(modes)}",
        "epochs=1",
        "hydra/sweeper/sampler=grid",
        "hydra.sweeper.trial_timeout=40",
        "hydra.sweeper.max_retries=1",
        "hydra.sweeper.max_failure_rate=1",
        MNIST_SWEEP_TARGETS="odd_models.*",
    )
    by_mode = {trial.params["model.mode"]: trial for trial in trials("odd")}
    assert {m: t.state.name for m, t in by_mode.items()} == {
        mode: "COMPLETE" if mode == "good" else "FAIL" for mode in modes
    }
    reasons = {
        "raise": "ValueError: a bug in the model",
        "not_a_number": "training diverged in epoch 1: train_loss is nan",
        "sys_exit": "the job exited with code 4",
        "os_exit": "the worker process exited with code 5",
        "segfault": "the worker process was ended by SIGSEGV (segmentation fault)",
        "hang": "it ran longer than trial_timeout=40 seconds",
    }
    for mode, reason in reasons.items():
        trial = by_mode[mode]
        assert trial.user_attrs["reason"].startswith(reason)
        recorded = result("odd", trial.number)
        assert recorded["status"] == ("diverged" if mode == "not_a_number" else "failed")
    for mode in ("os_exit", "segfault"):  # worth one more try, in a new process
        assert f"trial {by_mode[mode].number}: the worker process" in printed
        assert printed.count(f"trial {by_mode[mode].number}: ") == 1
    assert "7 of 7 trials finished" in printed


def test_killed_workers_and_a_killed_sweep_cost_nothing_but_time():
    arguments = [*MLP, "epochs=8", "hydra/sweeper/sampler=random"]
    arguments += ["hydra.sweeper.sampler.seed=1", "hydra.sweeper.n_trials=4"]
    complete("whole", *arguments)
    sweep = start("killed", *arguments)
    wait_until(lambda: epochs("killed", 1) >= 2)
    workers = workers_of(sweep)
    assert len(workers) == 2
    workers[1].kill()
    wait_until(lambda: epochs("killed", 1) >= 4)
    sweep.kill()
    sweep.communicate()
    psutil.wait_procs(workers, timeout=10)
    running = [t.number for t in trials("killed") if t.state == TrialState.RUNNING]
    assert running

    printed = complete("killed", *arguments)
    for number in running:
        assert f"trial {number}: its process is gone; it is requeued and will be resumed" in printed
    found = trials("killed")
    assert [t.number for t in found] == [0, 1, 2, 3]
    assert {t.state for t in found} == {TrialState.COMPLETE}
    directories = [p.name for p in Path("multirun/killed").iterdir() if p.name.isdigit()]
    assert sorted(directories) == ["0", "1", "2", "3"]
    for number in {0, 1, *running}:
        assert metrics("killed", number) == metrics("whole", number)
        assert found[number].value == trials("whole")[number].value
    for number in range(4):
        recorded = result("killed", number)
        assert (recorded["status"], recorded["epochs"], recorded["trial"]) == (
            "complete",
            8,
            number,
        )
        assert len(metrics("killed", number)) == 8


def test_ctrl_c_leaves_what_runs_resumable_and_says_how_things_stand():
    arguments = [*MLP, "epochs=20", "hydra.sweeper.n_trials=2"]
    sweep = start("stopped", *arguments)
    wait_until(lambda: min(epochs("stopped", 0), epochs("stopped", 1)) >= 1)
    sweep.send_signal(signal.SIGINT)
    printed = sweep.communicate(timeout=60)[0]
    assert sweep.returncode == 130
    assert "interrupted: the same command resumes the study" in printed
    assert "2 interrupted trials will be resumed by the same command" in printed
    assert [status_of(t) for t in trials("stopped")] == ["interrupted"] * 2
    assert [result("stopped", n)["status"] for n in (0, 1)] == ["interrupted"] * 2
    before = [epochs("stopped", number) for number in (0, 1)]
    assert max(before) < 20

    complete("stopped", *arguments)
    assert [t.state for t in trials("stopped")] == [TrialState.COMPLETE] * 2
    assert [epochs("stopped", number) for number in (0, 1)] == [20, 20]


def test_a_pruned_trial_is_pruned_everywhere():
    printed = complete(
        "pruned",
        *MLP,
        "epochs=5",
        "tracking=tensorboard",
        "hydra.sweeper.n_jobs=1",
        "hydra/sweeper/pruner=threshold",
        # No accuracy is above it, so that every trial is pruned after its first epoch.
        "hydra.sweeper.pruner.lower=1.5",
        "hydra.sweeper.n_trials=2",
    )
    for trial in trials("pruned"):
        assert trial.state == TrialState.PRUNED
        assert trial.user_attrs["status"] == "pruned"
        assert list(trial.intermediate_values) == [1]
        assert trial.user_attrs["reason"].startswith("ThresholdPruner pruned it at")
        assert (trial.user_attrs["epochs"], trial.user_attrs["max_epochs"]) == (1, 5)
        recorded = result("pruned", trial.number)
        assert (recorded["status"], recorded["reason"]) == ("pruned", trial.user_attrs["reason"])
        assert list(Path(f"multirun/pruned/{trial.number}").glob("events.out.tfevents*"))
    assert "2 of them pruned (8 epochs saved)" in printed


def test_what_was_decided_is_said_once_at_the_start_and_output_is_kept_apart():
    printed = complete("said", *MLP, "epochs=1", "hydra.sweeper.n_trials=3", "threads=1")
    for line in (
        "workers: 2 processes of this machine, their output in multirun/said/workers",
        "data: mnist_5k, 4,000 train / 500 validation / 500 test images",
        "device: cpu, 1 thread a trial, float32",
        "sampler: TPESampler; pruner: NopPruner",
    ):
        assert printed.count(line) == 1
    assert len(list(Path("multirun/said/workers").iterdir())) == 2


# Each job of submitit is two processes, which import torch: it has one batch, joblib has two.
@pytest.mark.parametrize(("launcher", "n_trials"), [("joblib", 3), ("submitit_local", 2)])
def test_other_launchers_work_in_batches(launcher, n_trials):
    model = ["model=linear", "optimizer.lr=interval(0.001, 0.1)", "batch_size=256", "threads=1"]
    how = [f"hydra/launcher={launcher}", f"hydra.sweeper.n_trials={n_trials}"]
    printed = complete(launcher, *model, "epochs=1", *how)
    assert "in batches of 2" in printed
    found = trials(launcher)
    assert [t.state for t in found] == [TrialState.COMPLETE] * n_trials
    for trial in found:
        assert result(launcher, trial.number)["val_acc"] == trial.value


APP = """
import hydra
from mnist_sweep.sweep.trial import reporting

@hydra.main(config_path=".", config_name="config")
def main(config):
    with reporting(config) as reporter:
        for epoch in range(1, 6):
            if reporter is not None and reporter.report(config.x, epoch):
                break
    return config.x

if __name__ == "__main__":
    main()
"""
APP_CONFIG = """
defaults:
  - _self_
  - override hydra/sweeper: optuna
  - override hydra/launcher: workers
hydra:
  sweep: {dir: out, subdir: "${trial}"}
  sweeper:
    _target_: mnist_sweep.sweep.sweeper.BudgetSweeper
    storage: journal:///study.log
    study_name: theirs
    direction: maximize
    n_trials: 6
    params: {x: "interval(0, 10)"}
x: 0.0
study: null
trial: null
"""
# The stock sweeper's schema takes no key of ours; another sweeper config does.
OURS = ("override hydra/sweeper: optuna", "override hydra/sweeper: mnist_sweep")
PRUNER = "hydra/sweeper/pruner=threshold"


@pytest.mark.parametrize("group", ["optuna", "mnist_sweep"])
def test_another_applications_jobs_run_in_workers_and_report_to_a_journal(group):
    Path("app.py").write_text(APP)
    config = APP_CONFIG if group == "optuna" else APP_CONFIG.replace(*OURS)
    Path("config.yaml").write_text(config)
    command = [sys.executable, "app.py", "-m"]
    if group == "mnist_sweep":
        command += [PRUNER, "hydra.sweeper.pruner.lower=5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    backend = optuna.storages.journal.JournalFileBackend("study.log")
    study = optuna.load_study(study_name="theirs", storage=optuna.storages.JournalStorage(backend))
    assert len(study.trials) == 6
    assert study.trials[0].params == {"x": 0.0}
    for trial in study.trials:
        low = group == "mnist_sweep" and trial.params["x"] < 5
        assert trial.state == (TrialState.PRUNED if low else TrialState.COMPLETE)
        assert list(trial.intermediate_values) == ([1] if low else [1, 2, 3, 4, 5])
    assert "train it again: python app.py x=" in done.stdout
    assert "mnist_sweep.confirm" not in done.stdout  # which trains runs of ours
