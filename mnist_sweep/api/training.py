"""A run from overrides or a config, trained in this process, which is left as it was."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mnist_sweep.api.composing import composed
from mnist_sweep.cli.unstarted import leave_nothing
from mnist_sweep.config import ConfigError, seen_from
from mnist_sweep.config_checks import check, check_command, check_no_trial
from mnist_sweep.errors import explain
from mnist_sweep.files import check_folder
from mnist_sweep.recorded_config import load_resumed
from mnist_sweep.run import console
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.run.execute import execute
from mnist_sweep.run.machine import left_as_it_was
from mnist_sweep.run.single import write_config
from mnist_sweep.text import command_folder, relative

# What a run that has ended has recorded; a loss may have been no finite number.
ENDED = ("status", "reason", "parameters", "best_epoch", "val_acc", "seconds")
LOG = "train"  # its log is <directory>/train.log, as the command line's is


@dataclass(frozen=True)
class RunResult:
    """A run that has ended.

    `directory`: its run directory, which `load` reads. Losses are means of the cross entropy in
    nats, accuracies fractions from 0 to 1, both of the kept weights, those after `best_epoch`; a
    loss is None where it was no finite number, and the test figures where a run of a confirmation,
    which does not look at test, was resumed. `seconds`: all that the run took. `epochs`: a
    mapping for each, with epoch, lr, train_loss, train_acc, val_loss, val_acc, seconds and
    images_per_second. `record`: all of result.json.
    """

    directory: Path
    status: str
    reason: str
    parameters: int
    best_epoch: int
    val_loss: float | None
    val_acc: float
    test_loss: float | None
    test_acc: float | None
    seconds: float
    epochs: list[dict[str, Any]]
    record: dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """A run to train: its config, what the user calls the model, and how that was asked for."""

    config: DictConfig
    name: str | None
    overrides: tuple[str, ...]
    resumed: str | None


def train(
    *settings: str | DictConfig, directory: str | Path | None = None, quiet: bool = False
) -> RunResult:
    """Train one run, as `python -m mnist_sweep.train` does, and return its result.

    `settings`: overrides as `compose` takes them, or a config that it has returned.
    "resume=DIRECTORY" resumes a run. `directory`: where it is written, a new folder; None:
    outputs/DATE/TIME. `quiet`: print nothing; train.log in the directory has the lines anyway.

    What the run sets in this process is put back: the seeds of Python, NumPy and torch, torch's
    threads and deterministic mode, and the handlers of the logger `mnist_sweep`.

    Raises UserError, in one line, for what the command line refuses. After KeyboardInterrupt the
    run can be resumed.
    """
    asked = _read(settings)
    run = seen_from(command_folder(), check(asked.config))
    check_no_trial(run)
    if asked.resumed is None:
        check_command(run)
    if run.dry_run:
        raise ConfigError(
            f"dry_run={run.dry_run} is for the command line, python -m mnist_sweep.train "
            "dry_run=true: leave it out"
        )
    if directory is not None:
        check_folder("directory", directory)
    path = _directory(directory, asked.resumed)
    made = not path.exists()
    # A run that is resumed has both; what the user has put there is not taken away.
    is_new = not any((path / name).exists() for name in (".hydra", f"{LOG}.log"))
    if asked.resumed is None:
        RunDirectory(path).check_new("directory")
    try:
        with left_as_it_was(), _logging(path, quiet):
            if asked.resumed is None:
                write_config(asked.config, path, asked.overrides)
            execute(run, path, name=asked.name, resume=asked.resumed is not None, sweep=None)
    except OSError as error:
        raise RecordError(explain(error, relative(path))) from error
    finally:
        if is_new:
            leave_nothing(path.resolve(), LOG, command_folder(), made)
    return result_of(path)


def result_of(path: Path) -> RunResult:
    """Return the result of a run that has ended. Raises RecordError for a damaged record."""
    files = RunDirectory(path)
    record = files.read_result(ENDED)
    if record is None:
        raise RecordError(f"{path} has no result.json: the run has not begun")
    return RunResult(
        directory=path,
        status=record["status"],
        reason=record["reason"],
        parameters=record["parameters"],
        best_epoch=record["best_epoch"],
        val_loss=record.get("val_loss"),
        val_acc=record["val_acc"],
        test_loss=record.get("test_loss"),
        test_acc=record.get("test_acc"),
        seconds=record["seconds"],
        epochs=files.read_metrics(),
        record=record,
    )


def _read(settings: Sequence[str | DictConfig]) -> _Asked:
    """Return what is asked for. Raises ConfigError where it is no run."""
    configs = [each for each in settings if isinstance(each, DictConfig)]
    if configs:
        if len(settings) > 1:
            raise ConfigError(
                "give a config or overrides, not both: compose(...) takes all the overrides"
            )
        if configs[0].get("resume"):
            raise ConfigError(
                f"a config with resume={configs[0].resume} is no run of its own: give the override "
                "alone, train('resume=DIRECTORY')"
            )
        return _Asked(configs[0].copy(), None, (), None)
    overrides = tuple(each for each in settings if not isinstance(each, DictConfig))
    config, hydra = composed(overrides)
    idle = [each for each in overrides if each.startswith("search=")]
    if idle:
        raise ConfigError(
            f"{idle[0]} has an effect only in a sweep, python -m mnist_sweep.train -m: leave it out"
        )
    if config.resume is None:
        return _Asked(config, hydra.runtime.choices.get("model"), overrides, None)
    resumed = str(config.resume)
    return _Asked(load_resumed(resumed, config, overrides), None, overrides, resumed)


def _directory(given: str | Path | None, resumed: str | None) -> Path:
    """Return where a run is written. Raises ConfigError for a place beside the resumed one."""
    if resumed is not None:
        if given is not None and Path(given).resolve() != Path(resumed).resolve():
            raise ConfigError(
                f"resume={resumed} writes to that directory: leave directory={given} out"
            )
        return Path(resumed)
    if given is not None:
        return Path(given)
    usual = Path("outputs", f"{datetime.now():%Y-%m-%d}", f"{datetime.now():%H-%M-%S}")
    path, number = usual, 2
    while path.exists():  # of a run that began in the same second
        path, number = usual.with_name(f"{usual.name}-{number}"), number + 1
    return path


@contextmanager
def _logging(path: Path, quiet: bool) -> Iterator[None]:
    """Print the run's lines, and write them to its log, without a handler that stays."""
    console.begin()
    log = logging.getLogger("mnist_sweep")
    before = log.handlers[:], log.level, log.propagate
    path.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path / f"{LOG}.log", encoding="utf-8")
    file.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    printed = [] if quiet else [logging.StreamHandler(sys.stdout)]
    log.handlers[:] = [file, *printed]
    log.setLevel(logging.INFO)
    log.propagate = False  # a notebook's own handlers would say all of it again
    try:
        yield
    finally:
        log.handlers[:], log.propagate = before[0], before[2]
        log.setLevel(before[1])
        file.close()
