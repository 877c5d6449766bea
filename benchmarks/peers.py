"""What docs/peers.md says that Hydra's Optuna sweeper and Optuna alone do, tried: some minutes.

    python -m benchmarks.peers [sweeper_settings ...]

Toy jobs (contenders/toy_app.py) that take next to no time: only what the tools do is looked at.
"""

import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import optuna
from hydra_plugins.hydra_optuna_sweeper.config import OptunaSweeperConf
from omegaconf import OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

from benchmarks.contenders.toy_app import BUDGET

TRIALS = 60
SEEDS = 10
LAST = 30  # of them, those in which a sampler that learns from rejections shows it
GRACE = 3  # seconds without a heartbeat after which Optuna takes a trial for stale


def sweep(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a sweep of the toy application by the stock sweeper, in a folder of its own."""
    command = [sys.executable, "-m", "benchmarks.contenders.toy_app", "-m", *overrides]
    command += [f"diary={folder}/diary", f"hydra.sweep.dir={folder}/runs"]
    command += [f"hydra.sweeper.storage=sqlite:///{folder}/study.db"]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def trials(folder: Path) -> list[FrozenTrial]:
    """Return the trials of the folder's study."""
    return optuna.load_study(study_name="toy", storage=f"sqlite:///{folder}/study.db").trials


def states(found: list[FrozenTrial]) -> str:
    """Return how many trials are in which state, as a text."""
    return ", ".join(f"{n} {state}" for state, n in Counter(t.state.name for t in found).items())


def over_budget(found: list[FrozenTrial]) -> int:
    """Return how many of the last trials were over budget."""
    return sum(trial.params["x"] + trial.params["y"] > BUDGET for trial in found[-LAST:])


def launched(folder: Path) -> str:
    """Return what became of a study's proposals, as a text."""
    found, directories = trials(folder), len(list(folder.glob("runs/*/.hydra")))
    over = f"{over_budget(found)} of the last {LAST} proposals are over budget"
    return f"{states(found)}; {directories} run directories; {over}"


def sweeper_settings(folder: Path) -> str:
    """The stock sweeper has no setting for a pruner, a gate, a plan or seeds."""
    names = [field.name for field in fields(OptunaSweeperConf)]
    return ", ".join(name for name in names if name not in ("_target_", "defaults"))


def sweeper_rejections(folder: Path) -> str:
    """A job that raises TrialPruned is a failed trial, which the sampler ignores."""
    overrides = (
        f"hydra.sweeper.n_trials={TRIALS}",
        "hydra.sweeper.max_failure_rate=1",
        "job=prune",
    )
    sweep(folder, *overrides)
    return launched(folder)


def sweeper_constraints(folder: Path) -> str:
    """A constraint that a custom_search_space sets is learned from; every proposal is launched."""
    hook = "hydra.sweeper.custom_search_space=benchmarks.contenders.toy_app.constrain"
    sweep(folder, f"hydra.sweeper.n_trials={TRIALS}", hook)
    return launched(folder)


def sweeper_batches(folder: Path) -> str:
    """With two workers, the third job waits for both of the first two."""
    workers = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2")
    sweep(folder, "hydra.sweeper.n_trials=4", "job=slow", *workers)
    lines = (folder / "diary").read_text(encoding="utf-8").splitlines()
    times = {int(n): (float(began), float(ended)) for n, began, ended in map(str.split, lines)}
    waited = min(times[2][0], times[3][0]) > times[0][1] > times[1][1]
    return f"job 1 ended, then job 0, and only then jobs 2 and 3 began: {waited}"


def sweeper_killed(folder: Path) -> str:
    """After a kill -9 the same command leaves the killed trial, and adds n_trials more."""
    overrides = ("hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=1", "job=die")
    overrides += ("hydra.sweeper.sampler.seed=null",)  # with a seed it proposes the same again
    killed = sweep(folder, *overrides).returncode
    before = states(trials(folder))
    sweep(folder, *overrides)
    found = trials(folder)
    first = OmegaConf.load(folder / "runs" / "0" / ".hydra" / "config.yaml")
    owner = next(trial.number for trial in found if trial.params["x"] == first["x"])
    directories = sorted(path.name for path in (folder / "runs").iterdir() if path.is_dir())
    return (
        f"exit code {killed}, {before}; the same command again: {states(found)}; "
        f"directories {', '.join(directories)}, and directory 0 has trial {owner}"
    )


def optuna_rejections(folder: Path) -> str:
    """Rejected before training as failed trials, as pruned ones, and with a constraint as well."""
    ways = ("failed", "pruned", "pruned with a constraint")
    means = {
        way: statistics.mean(_optuna_alone(way, seed) for seed in range(SEEDS)) for way in ways
    }
    texts = [f"{way} {mean:.0f}" for way, mean in means.items()]
    return f"of the last {LAST} of {TRIALS}, over budget, mean of {SEEDS} seeds: {', '.join(texts)}"


def _optuna_alone(way: str, seed: int) -> int:
    def objective(trial: optuna.Trial) -> float:
        value = trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)
        if way == "pruned with a constraint":
            trial.set_constraint("budget", value - BUDGET)
        if value > BUDGET:
            raise RuntimeError if way == "failed" else optuna.TrialPruned
        return value

    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=TRIALS, catch=RuntimeError)
    return over_budget(study.trials)


def optuna_killed(folder: Path) -> str:
    """After a kill -9, a stale trial is tried again as a new trial, if heartbeats are asked for."""
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        process = context.Process(target=_optimize, args=(folder,))
        process.start()
        process.join()
        time.sleep(GRACE + 1)
    found = trials(folder)
    retried = {
        trial.number: optuna.storages.RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
        for trial in found
    }
    again = [f"trial {new} repeats trial {old}" for new, old in retried.items() if old is not None]
    return f"{states(found)}; {', '.join(again)}; what it does with a checkpoint is the objective's"


def _optimize(folder: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)

    def objective(trial: optuna.Trial) -> float:
        if trial.number == 1:
            time.sleep(2)  # so that there is a heartbeat
            os.kill(os.getpid(), signal.SIGKILL)
        return trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)

    retry = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=3)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{folder}/study.db",
        heartbeat_interval=1,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=retry,
    )
    study = optuna.create_study(storage=storage, study_name="toy", load_if_exists=True)
    study.optimize(objective, n_trials=3)


def main(names: Sequence[str]) -> None:
    """Try everything, or what is named, each in a folder of its own; print what was seen."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)
    print(", ".join(f"{name} {version(name)}" for name in ("hydra-optuna-sweeper", "optuna")))
    tried: tuple[Callable[[Path], str], ...] = (
        sweeper_settings,
        sweeper_rejections,
        sweeper_constraints,
        sweeper_batches,
        sweeper_killed,
        optuna_rejections,
        optuna_killed,
    )
    for attempt in tried:
        if names and attempt.__name__ not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{attempt.__doc__}\n  {attempt(Path(folder))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
