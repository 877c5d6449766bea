"""A composed config with Hydra's part: what its command line gave, what its sweep is called."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict


def config_directory() -> str:
    """Return conf/ as an absolute path."""
    return str(Path(__file__).resolve().parent / "conf")


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a composed config as a job has it: a copy without Hydra's part."""
    job: DictConfig = config.copy()
    with open_dict(job):
        del job["hydra"]
    return job


def given_overrides(hydra: Any, which: str) -> list[str]:
    """Return the overrides that a command line has given, of "task" or of "hydra", as written.

    Read one by one, OmegaConf would put values where they name other settings, `x=${y}`.
    """
    given = OmegaConf.to_container(hydra.overrides[which], resolve=False)
    assert isinstance(given, list)
    return [str(override) for override in given]


def sweep_name(hydra: Any) -> str:
    """Return what a sweep is called, given its hydra node: its study, or else its directory."""
    return str(OmegaConf.select(hydra, "sweeper.study_name") or hydra.sweep.dir)
