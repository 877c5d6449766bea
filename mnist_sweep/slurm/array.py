"""An array of Slurm jobs: what is asked of it, checked, and the batch script that it is."""

import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.cli.arguments import ArgumentError

WARNING = 60  # seconds between SIGTERM and the end of a task whose time is up


@dataclass
class Array:
    """The command line beside the sweep's overrides; see `mnist_sweep.slurm.__main__`."""

    tasks: int
    at_once: int | None = None
    cpus: int = 1
    gpus: int = 0
    memory_gb: float | None = None
    hours: float | None = None
    partition: str | None = None
    account: str | None = None
    options: str = ""
    setup: str = ""
    storage: str = "journal:///multirun/optuna.log"
    dry_run: bool = False


def check_array(asked: Array) -> None:
    """Raise ArgumentError for a number, or an option, of which no array can be made."""
    for name, least in (("tasks", 1), ("at_once", 1), ("cpus", 1), ("gpus", 0)):
        value = getattr(asked, name)
        if value is not None and value < least:
            raise ArgumentError(f"{name} must be at least {least}, but got {value}")
    for name in ("memory_gb", "hours"):
        value = getattr(asked, name)
        if value is not None and not 0 < value < math.inf:
            raise ArgumentError(f"{name} must be greater than 0 and finite, but got {value:g}")
    if asked.hours is not None and _minutes(asked.hours) * 60 <= WARNING:
        raise ArgumentError(
            f"hours must be above {WARNING / 3600:.4f} ({WARNING} s), but got {asked.hours:g}: "
            f"SIGTERM comes {WARNING} s before a task's time is up"
        )
    if asked.at_once is not None and asked.at_once > asked.tasks:
        raise ArgumentError(
            f"at_once={asked.at_once} has no effect with tasks={asked.tasks}: leave it out, or "
            f"give at most {asked.tasks}"
        )
    for name in ("options", "setup", "partition", "account"):
        value = getattr(asked, name) or ""
        if not value.isprintable():
            raise ArgumentError(f"{name}={value!r} must be one line of printable characters")
    for word in options_of(asked):
        if not word.startswith("-"):
            raise ArgumentError(
                f"options={asked.options}: {word!r} is no option of sbatch's such as "
                "--constraint=a100"
            )


def _minutes(hours: float) -> int:
    """Return a time limit as Slurm takes it, in whole minutes."""
    return math.ceil(hours * 60)


def options_of(asked: Array) -> list[str]:
    """Return the further options as words. Raises ArgumentError for a quote that is not closed."""
    try:
        return shlex.split(asked.options)
    except ValueError as error:
        raise ArgumentError(f"options={asked.options}: {str(error).lower()}") from error


def sweep_words(overrides: Sequence[str], storage: str) -> list[str]:
    """Return the command of each task, which is the same for all: they share the study."""
    return [
        sys.executable,
        "-m",
        "mnist_sweep.train",
        "-m",
        *overrides,
        f"hydra.sweeper.storage={storage}",
    ]


def script(asked: Array, words: Sequence[str], study: str, logs: Path) -> str:
    """Return the batch script of an array whose tasks run `words`, each with a file in `logs`."""
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH {shlex.quote(option)}" for option in _options(asked, study, logs)]
    lines += ["# Each task is a sweep of the same study, until that has all its trials."]
    lines += [asked.setup] if asked.setup else []
    # Not as a child of the shell: SIGTERM, before a task is preempted, is to reach the sweep.
    lines += [f"exec {shlex.join(words)}"]
    return "\n".join(lines) + "\n"


def _options(asked: Array, study: str, logs: Path) -> Iterator[str]:
    parallel = f"%{asked.at_once}" if asked.at_once else ""
    yield f"--job-name={study}"
    yield f"--array=0-{asked.tasks - 1}{parallel}"
    yield f"--cpus-per-task={asked.cpus}"
    if asked.gpus:
        yield f"--gres=gpu:{asked.gpus}"
    if asked.memory_gb is not None:
        yield f"--mem={math.ceil(asked.memory_gb * 1024)}M"
    if asked.hours is not None:
        yield f"--time={_minutes(asked.hours)}"
    for name in ("partition", "account"):
        value = getattr(asked, name)
        if value is not None:
            yield f"--{name}={value}"
    escaped = str(logs).replace("%", "%%")
    yield f"--output={escaped}/slurm-%A_%a.log"
    yield "--open-mode=append"
    yield "--requeue"
    yield f"--signal=B:TERM@{WARNING}"
    yield f"--chdir={Path.cwd()}"
    yield from options_of(asked)
