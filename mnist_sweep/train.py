"""The one entry: compose, check, build, fit, record; returns the objective to a sweeper.

`python -m mnist_sweep.train --help` says what can be chosen. torch is imported only once there is
something to train, so that printing help and config stays quick.
"""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from mnist_sweep import console
from mnist_sweep.config import (
    ConfigError,
    check,
    load_recorded,
    register_resolvers,
    sweep_name,
)
from mnist_sweep.errors import UserError
from mnist_sweep.targets import execution_whitelist

if TYPE_CHECKING:
    from mnist_sweep.run import Objective

log = logging.getLogger("mnist_sweep")


def config_directory() -> str:
    """Return conf/ as an absolute path: inside the installed package, else beside it."""
    package = Path(__file__).resolve().parent
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


register_resolvers()


def train(config: DictConfig, directory: Path) -> "Objective":
    """Do one run as composed, in a directory. Raises UserError for what a user can cause."""
    hydra_config = HydraConfig.get()
    name = hydra_config.runtime.choices.get("model")
    swept = hydra_config.mode == RunMode.MULTIRUN
    resumed = bool(config.get("resume"))
    if resumed:
        changed = [o for o in hydra_config.overrides.task if not o.startswith("resume=")]
        if changed:
            raise ConfigError(
                f"resume goes on with the run's own settings, so {' '.join(changed)} cannot be "
                "given with it; leave that out, or start a new run"
            )
        if Path(config.resume).resolve() != directory.resolve():
            raise ConfigError(f"resume={config.resume} goes on there: leave hydra.run.dir out")
        config = load_recorded(config.resume)
        name = None
    run = check(config)
    if run.trial is not None and not swept:
        raise ConfigError(
            f"this is trial {run.trial} of study {run.study}, which is its sweep's to run: "
            "give the sweep's command again, or leave study and trial out"
        )

    from mnist_sweep.run import execute  # torch comes with it

    sweep = sweep_name(hydra_config) if swept else None
    if run.trial is None:
        return execute(run, directory, name=name, resume=resumed, sweep=sweep)

    from mnist_sweep.sweep.trial import reporting  # optuna comes with it

    with reporting(config) as reporter:
        report = reporter.report if reporter else None
        return execute(run, directory, name=name, resume=False, sweep=sweep, report=report)


@hydra.main(
    config_path=config_directory(),
    config_name="config",
    execution_whitelist=execution_whitelist(),
)
def main(config: DictConfig) -> "Objective":
    """Hydra's entry point: errors that a user can cause end in one line and exit code 1."""
    try:
        return train(config, Path(HydraConfig.get().runtime.output_dir))
    except (UserError, KeyboardInterrupt) as error:
        if config.get("trial") is not None and HydraConfig.get().mode == RunMode.MULTIRUN:
            raise  # the sweeper records it with the trial
        if isinstance(error, KeyboardInterrupt):
            sys.exit(130)  # what a shell expects after Ctrl-C
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    console.prepare()
    main()
