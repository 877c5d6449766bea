"""A recorded run as a single one, no longer a trial: what is trained again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.config_checks import check
from mnist_sweep.files import replacing
from mnist_sweep.recorded_config import load_recorded
from mnist_sweep.run.directory import RunDirectory


def read_as_single(directory: str, setting: str) -> tuple[DictConfig, dict[str, Any]]:
    """Return the config of a run directory, the value of a setting, and its recorded result.

    Nothing of the sweep is left in the config, nor a tracker that draws each run or whose store may
    be gone; data=auto is what it found then. Raises ConfigError and RecordError.
    """
    config = load_recorded(directory, setting)
    result = RunDirectory(Path(directory)).read_result() or {}
    make_single(config, result)
    return config, result


def make_single(config: DictConfig, result: dict[str, Any]) -> None:
    """Take out of a run's config, in place, what `read_as_single` leaves out."""
    run = check(config)
    settings: dict[str, Any] = dict.fromkeys(("resume", "study", "trial", "lease"))
    settings["progress"] = False
    found = (result.get("data") or {}).get("name")
    if run.data.name == "auto" and found:
        settings["data.name"] = found
    settings |= {"tracking.figures": "never", "tracking.mlflow": None}
    if run.tracking.tensorboard:
        settings["tracking.tensorboard.histograms"] = False
    change(config, settings)


def change(config: DictConfig, settings: dict[str, Any]) -> None:
    """Change settings of a recorded config, in place. Raises ConfigError where they do not go."""
    for name, value in settings.items():
        OmegaConf.update(config, name, value, force_add=True)
    check(config)


def write_config(
    config: DictConfig, directory: Path, overrides: Sequence[str] | None = None
) -> None:
    """Record the config of a run in its directory, and what made it if known, as Hydra does."""
    recorded = directory / ".hydra"
    recorded.mkdir(parents=True, exist_ok=True)
    with replacing(recorded / "config.yaml") as temporary:
        OmegaConf.save(config, temporary)
    if overrides is not None:
        with replacing(recorded / "overrides.yaml") as temporary:
            OmegaConf.save(OmegaConf.create(list(overrides)), temporary)
