"""The config that a run directory was started with, and what may be changed where it goes on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.config import ConfigError
from mnist_sweep.files import check_folder
from mnist_sweep.text import one_line
from mnist_sweep.untrusted_files import parse_config

# What may be given with `resume`: where a run goes on, and nothing of what it computes.
TEACHER = "distill.teacher"
OF_THE_PLACE = (
    *("data.root", "data.download", "data.timeout"),
    TEACHER,  # whose weights are checked to be those that the run began with
    *("device", "threads", "progress"),
)


def load_resumed(directory: str, given: DictConfig, overrides: Iterable[str]) -> DictConfig:
    """Return the config of a run to resume, with what the `given` one says of the place.

    Raises ConfigError for another override than those, since the run has its own settings, and
    what `load_recorded` does.
    """
    names = {each: each.partition("=")[0].lstrip("+") for each in overrides}
    changed = [each for each, name in names.items() if name not in ("resume", *OF_THE_PLACE)]
    if changed:
        raise ConfigError(
            f"resume takes the run's own settings, so {' '.join(changed)} cannot be "
            f"given with it; leave that out, or start a new run. May be given: "
            f"{', '.join(OF_THE_PLACE)}"
        )
    config = load_recorded(directory)
    if TEACHER in names.values():
        then, now = OmegaConf.select(config, TEACHER), OmegaConf.select(given, TEACHER)
        if (then is None) != (now is None):
            has = "no teacher" if then is None else f"a teacher ({then})"
            raise ConfigError(
                f"{TEACHER}={'null' if now is None else now} cannot be given with "
                f"resume={directory}, which has {has}: leave it out, or start a new run"
            )
    for name in names.values():
        if name != "resume":
            OmegaConf.update(config, name, OmegaConf.select(given, name), force_add=True)
    return config


def load_recorded(directory: Any, setting: str = "resume") -> DictConfig:
    """Return the config that a run directory, the value of a setting, was started with.

    Raises ConfigError when it is no directory with such a record, FileError where it cannot be
    looked into.
    """
    if not isinstance(directory, str) or not directory:
        raise ConfigError(f"{setting} must be a run directory, but got {directory!r}")
    check_folder(setting, directory)
    recorded = Path(directory) / ".hydra" / "config.yaml"
    if not recorded.is_file():
        raise ConfigError(
            f"{setting}={directory} is not a run directory: it has no .hydra/config.yaml"
        )
    try:
        return parse_config(recorded)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{recorded} is damaged: {one_line(error)}") from error
