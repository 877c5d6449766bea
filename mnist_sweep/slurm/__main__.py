"""A sweep on a Slurm cluster: an array of jobs, each a sweep of the same study.

    python -m mnist_sweep.slurm tasks=16 partition=short hours=4 data=mnist epochs=20

tasks      how many jobs the array has
at_once    how many of them run at a time; as many as Slurm lets run where that is left out
cpus       cores of each; 1. A job trains as many trials at a time as it has cores, or GPUs
gpus       GPUs of each; 0
memory_gb  memory of each; the partition's default where that is left out
hours      time limit of each; the partition's default where that is left out
partition  where they run; the cluster's default where that is left out
account    whom they are charged to
options    further options of sbatch, such as --constraint=a100; several in quotes
setup      a line of shell before the sweep, such as module load cuda
storage    where the study is: journal:///multirun/optuna.log where that is left out, or a server's
           database. SQLite is refused: its log cannot be shared by several machines
dry_run    true: print the script, and submit nothing

Everything else is an override of the sweep, as of python -m mnist_sweep.train -m. The folder that
the command is given in must be on a file system that the nodes share.

A job asks for its next trial when it is free, and waits for no other. The array ends when the study
has n_trials. A job that is preempted, or whose time is up, has SIGTERM before: it leaves its trials
with their checkpoints to the others, and continues where Slurm requeues it. A node that fails costs
the epoch that its trials were in. The same command with more hours, jobs or n_trials resumes the
study.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from omegaconf import DictConfig

from mnist_sweep import study_folder
from mnist_sweep.cli import arguments
from mnist_sweep.cli.printed_commands import entry, override
from mnist_sweep.conf.composed import compose_sweep
from mnist_sweep.config import ConfigError
from mnist_sweep.config_checks import check
from mnist_sweep.files import writing
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.passwords import without_password
from mnist_sweep.slurm.array import Array, check_array, script, sweep_words
from mnist_sweep.slurm.submission import submit
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.read_only import file_of
from mnist_sweep.sweep.settings import (
    Settings,
    check_settings,
    check_study_name,
    take_study_name,
)
from mnist_sweep.sweep.storage import JOURNAL
from mnist_sweep.text import counted, relative

# What this command sets itself, by the name that a user would give it in a sweep.
TAKEN = {
    "hydra.sweeper.storage": "give storage=",
    "hydra.sweeper.dry_run": "python -m mnist_sweep.train -m dry_run=true prints the plan",
    "resume": "the same command resumes",
    "study": "give hydra.sweeper.study_name=",
    "trial": "leave it out",
    "lease": "leave it out",
}
TARGET = "_target_"  # the sweeper itself, which is none of its settings
OWN_LAUNCHERS = ("workers", "basic")  # which run trials where the sweep is


@dataclass(frozen=True)
class Sweep:
    """What the tasks run: the overrides, the study that they share, and its directory."""

    overrides: Sequence[str]
    study: str
    home: Path
    n_trials: int


def main(words: Sequence[str]) -> None:
    """Submit the array that a command line asks for, and say how to watch it."""
    names = {field.name for field in fields(Array)}
    own = [word for word in words if word.partition("=")[0] in names]
    asked = arguments.parse(Array, own)
    check_array(asked)
    _check_storage(asked.storage)
    sweep = _read_sweep([word for word in words if word not in own])
    logs = sweep.home / study_folder.WORKERS
    text = script(
        asked, sweep_words(sweep.overrides, _quoted(asked.storage)), sweep.study, logs.resolve()
    )
    if asked.dry_run:
        print(text, end="")
        return
    with writing("hydra.sweep.dir", logs):
        logs.mkdir(parents=True, exist_ok=True)  # Slurm makes none
    job = submit(text)
    cores = f"{counted(asked.cpus, 'core')}" + (f", {asked.gpus} GPU" if asked.gpus else "")
    print(f"study {sweep.study} in {asked.storage}: {counted(sweep.n_trials, 'trial')} in all")
    print(f"submitted job {job}: {counted(asked.tasks, 'task')} of {cores} each")
    print(f"output: {relative(logs)}/slurm-{job}_*.log")
    print(f"watch it: {entry('watch', study=sweep.study, storage=asked.storage)}")
    print(f"its tasks: squeue --job {job}; to end it: scancel {job}")


def _check_storage(storage: str) -> None:
    """Raise ConfigError for a storage that several machines cannot share."""
    said = without_password(storage)
    instead = (
        "give journal:///multirun/optuna.log, on a file system that the nodes share, or a server's "
        "database (postgresql+psycopg://user@host/db)"
    )
    if storage in ("", "null"):
        raise ConfigError(f"storage={storage} is the memory of one process: {instead}")
    if said != storage:
        raise ConfigError(
            f"storage={said} has a password, which every user of the cluster could read in the "
            "list of processes: put it in ~/.pgpass"
        )
    if file_of(storage) is not None and not storage.startswith(JOURNAL):
        raise ConfigError(
            f"storage={said}: SQLite's write-ahead log cannot be shared by several machines: "
            f"{instead}"
        )


def _read_sweep(overrides: Sequence[str]) -> Sweep:
    """Compose the sweep, as each task will. Raises ConfigError where that would be refused."""
    config = compose_sweep(overrides, TAKEN)
    choices = config.hydra.runtime.choices
    sweeper, launcher = choices["hydra/sweeper"], choices["hydra/launcher"]
    if sweeper != "mnist_sweep":
        raise ConfigError(
            f"hydra/sweeper={sweeper} has no study that the tasks could share, so each would run "
            "everything: choose another search"
        )
    if launcher not in OWN_LAUNCHERS:
        raise ConfigError(
            f"hydra/launcher={launcher} would submit jobs out of each task: leave it out, or submit"
            f" batches by python -m mnist_sweep.train -m hydra/launcher={launcher}"
        )
    name, settings = _checked(config)
    check(without_hydra(config))
    return Sweep(overrides, name, Path(str(config.hydra.sweep.dir)), settings.n_trials)


def _checked(config: DictConfig) -> tuple[str, Settings]:
    """Return the study's name and the sweeper's settings, whose `params` are not looked into."""
    try:
        name = take_study_name(config)
        check_study_name(name)
        sweeper = config.hydra.sweeper
        return str(name), check_settings({key: sweeper[key] for key in sweeper if key != TARGET})
    except SweepError as error:  # Hydra's kind, which a command of ours does not print
        raise ConfigError(str(error).removeprefix("error: ")) from error


def _quoted(storage: str) -> str:
    """Return an address as Hydra's grammar takes it, whatever its folders are called."""
    return override("", storage).removeprefix("=")


if __name__ == "__main__":
    arguments.run_words(__doc__ or "", main)
