"""The one entry: compose, check, build, fit, record; returns the objective to a sweeper.

`python -m mnist_sweep.train --help` says what can be chosen. From Python, the module can be called:
`train("model=mlp", "epochs=3")` trains one run and returns its result; see docs/python.md. torch
is imported only once there is something to train, so that printing help and config stays quick.
"""

import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig

from mnist_sweep import conf
from mnist_sweep.allowed_targets import hydra_whitelist
from mnist_sweep.cli import encoding
from mnist_sweep.cli.completion import check_completion, is_query
from mnist_sweep.cli.entry import check_words, inspected, one_line_errors, resumed_run
from mnist_sweep.cli.ineffective_settings import check_effects
from mnist_sweep.cli.unstarted import leave_nothing
from mnist_sweep.cli.waiting import waiting
from mnist_sweep.config import NO_PLAN, ConfigError, seen_from
from mnist_sweep.config_checks import check, check_command, check_no_trial
from mnist_sweep.errors import (
    LeaseLost,
    MachineError,
    UserError,
    explain,
    full_errors,
    is_the_machines,
)
from mnist_sweep.files import replacing
from mnist_sweep.hydra_part import config_directory, given_overrides, sweep_name
from mnist_sweep.passwords import without_password
from mnist_sweep.recorded_config import load_recorded, load_resumed
from mnist_sweep.sweep.combinations import Combinations
from mnist_sweep.text import command_folder, relative

if TYPE_CHECKING:
    from mnist_sweep.api.training import RunResult
    from mnist_sweep.run.execute import Objective

log = logging.getLogger("mnist_sweep")


conf.register()


def train(config: DictConfig, directory: Path) -> "Objective":
    """Do one run as composed, in a directory. Raises UserError for what a user can cause."""
    hydra_config = HydraConfig.get()
    name = hydra_config.runtime.choices.get("model")
    swept = hydra_config.mode == RunMode.MULTIRUN
    if not swept:
        check_effects(hydra_config, sweeps=False)
    resumed = bool(config.get("resume"))
    if resumed:
        before = command_folder() / config.resume
        if before.resolve() != directory.resolve():
            raise ConfigError(
                f"resume={config.resume} writes to that directory: leave hydra.run.dir out"
            )
        config = load_resumed(str(before), config, given_overrides(hydra_config, "task"))
        name = None
    run = seen_from(command_folder(), check(config))
    if run.dry_run:  # single runs and our sweeps have planned, and are not here any more
        raise ConfigError(NO_PLAN)
    if not swept:
        check_no_trial(run)
        if not resumed:
            check_command(run)

    from mnist_sweep.run import console
    from mnist_sweep.run.execute import execute  # torch comes with it

    if not swept:
        console.begin()
    sweep = sweep_name(hydra_config) if swept else None
    if run.trial is None:
        return execute(run, directory, name=name, resume=resumed, sweep=sweep)

    from mnist_sweep.sweep.trial import reporting  # optuna comes with it

    with reporting(config) as reporter:
        return execute(run, directory, name=name, resume=False, sweep=sweep, reporter=reporter)


def job(config: DictConfig) -> "Objective":
    """Do one run as Hydra has it done, by itself or among others.

    Among others, an error is raised: the sweep reports and counts it. By itself, what a user
    can cause is one line and exit code 1; a run that was refused before it began leaves nothing.
    """
    hydra_config = HydraConfig.get()
    directory = Path(hydra_config.runtime.output_dir)
    swept = hydra_config.mode == RunMode.MULTIRUN
    try:
        _hide_passwords(directory / str(hydra_config.output_subdir) / "hydra.yaml")
        return train(config, directory)
    except KeyboardInterrupt:
        _leave_nothing(config, directory)
        raise
    except SystemExit as stop:  # a model or callback of the user's: it would end all the others
        if not swept:
            raise
        raise UserError(f"the job exited with code {stop.code}") from stop
    except LeaseLost:
        raise
    except (UserError, OSError) as error:
        if swept and isinstance(error, FileNotFoundError) and not directory.exists():
            raise  # somebody has removed the directory: the sweep runs the trial again
        _leave_nothing(config, directory)
        place = relative(directory)
        line = explain(error, place) if isinstance(error, OSError) else str(error)
        if swept or full_errors():
            kind = MachineError if is_the_machines(error) else UserError
            raise kind(line) from error  # the error itself may not survive its process
        encoding.fail(line)


def _hide_passwords(recorded: Path) -> None:
    """Take the password of a storage out of Hydra's record of a run, which nothing is read from."""
    if recorded.exists():
        text = recorded.read_text(encoding="utf-8")
        hidden = str(without_password(text))
        if hidden != text:
            with replacing(recorded) as temporary:
                temporary.write_text(hidden, encoding="utf-8")


def _leave_nothing(config: DictConfig, directory: Path) -> None:
    """Remove what Hydra made for a run that has not begun; a sweep's trial keeps its record."""
    hydra_config = HydraConfig.get()
    is_trial = hydra_config.mode == RunMode.MULTIRUN and config.get("trial") is not None
    resumed = config.get("resume")
    is_run = resumed is not None and (command_folder() / str(resumed)).resolve() == directory
    if not is_run and not is_trial:
        leave_nothing(directory, hydra_config.job.name, Path(hydra_config.runtime.cwd))


def _check_resume(words: Sequence[str]) -> None:
    """Raise UserError where `resume` names no run, before Hydra makes a folder of that name."""
    given = resumed_run(words)
    if given is not None:
        load_recorded(given)


def command_line() -> None:
    """Be the program: `main`, on an output of any encoding."""
    encoding.prepare()
    try:
        # What is waited for: imports, the config, the study.
        with nullcontext() if is_query(sys.argv) else waiting("starting"):
            main()
    except BrokenPipeError:  # who read the help has gone, as head does
        encoding.discard()
        sys.exit(141)


def main() -> None:
    """Take the command line: one run, or with -m a sweep."""
    Plugins.instance().register(Combinations)
    try:
        check_words(sys.argv[1:])
        sys.argv[1:] = inspected(sys.argv[1:])
        check_completion(sys.argv[1:])
        allowed = hydra_whitelist()
        _check_resume(sys.argv[1:])
    except UserError as error:
        encoding.fail(str(error))
    started = hydra.main(config_directory(), "config", execution_whitelist=allowed)
    with one_line_errors():
        started(job)()


class _FromPython(ModuleType):
    """What `from mnist_sweep import train` gives: the module, which trains a run where called."""

    def __call__(
        self, *settings: str | DictConfig, directory: str | Path | None = None, quiet: bool = False
    ) -> "RunResult":
        """Train one run; see `mnist_sweep.api.training.train`."""
        from mnist_sweep.api.training import train as train_run  # torch comes with it

        return train_run(*settings, directory=directory, quiet=quiet)


if __name__ == "__main__":
    command_line()
else:
    sys.modules[__name__].__class__ = _FromPython
