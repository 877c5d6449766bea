"""The resolvers that the configs of a run name, such as the directory of a trial."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from mnist_sweep.objectives import direction_of


def _setting(name: str, root: Any) -> Any:
    """Return a setting of the run's; Hydra shows its own part of the config without the others."""
    marker = object()
    found = OmegaConf.select(root, name, default=marker)
    if found is marker and HydraConfig.initialized():
        hydra: Any = HydraConfig.get()
        return OmegaConf.select(hydra, f"..{name}", default=None)
    return None if found is marker else found


def _trial_directory(*, _root_: Any) -> str:
    """Return where a job of a sweep writes, below its directory: its trial, or its number."""
    trial = _setting("trial", _root_)
    number = OmegaConf.select(_root_, "hydra.job.num", default="???") if trial is None else trial
    return str(number)


def _setting_in_a_name(name: str, *, _root_: Any) -> str:
    value = _setting(name, _root_)
    return "null" if value is None else str(value)


def _dry_run(*, _root_: Any) -> Any:
    return _setting("dry_run", _root_) or False


def _direction_of_objective(*, _root_: Any) -> Any:
    return direction_of(_setting("objective", _root_))


def _run_directory(default: str, *, _root_: Any) -> str:
    """Where Hydra writes: the directory of the run to resume, else a new one."""
    resume = _setting("resume", _root_)
    return default if resume is None else str(resume)


def _output_subdirectory(directory: str) -> str | None:
    """Keep Hydra from overwriting the record of a run that is there already."""
    occupied = any((Path(directory) / name).exists() for name in ("metrics.jsonl", "result.json"))
    return None if occupied else ".hydra"


def register() -> None:
    """Make known the resolvers that conf/ uses."""
    OmegaConf.register_resolver("run_directory", _run_directory, replace=True)
    OmegaConf.register_resolver("output_subdirectory", _output_subdirectory, replace=True)
    OmegaConf.register_resolver("direction_of", direction_of, replace=True)
    OmegaConf.register_resolver("direction_of_objective", _direction_of_objective, replace=True)
    OmegaConf.register_resolver("dry_run", _dry_run, replace=True)
    OmegaConf.register_resolver("setting", _setting_in_a_name, replace=True)
    OmegaConf.register_resolver("trial_directory", _trial_directory, replace=True)
