"""What is left of a default config where a user's config names another class by `_target_`.

Hydra merges the two: without this, a pruner or sampler of the user's would get the settings of the
default one, refuse those that it does not take, and be changed by those that it does.
"""

import importlib
import inspect
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from mnist_sweep.private_names import STOCK_SAMPLERS

FOLDER = Path(__file__).parent / "conf/hydra/sweeper"
PRUNER, SAMPLER = "pruner/successive_halving.yaml", "sampler/multivariate_tpe.yaml"
PATIENT = "pruner/patient.yaml"  # whose wrapped pruner may be another as well
MODULES = ("optuna.pruners", "optuna.samplers", STOCK_SAMPLERS)


def own_settings(config: Any, default: str) -> Any:
    """Return the config of a pruner or sampler without what is left of the `default` file."""
    if not isinstance(config, DictConfig):
        return config
    mended = config.copy()
    _drop(mended, _file(default))
    inner = OmegaConf.to_container(mended).get("wrapped_pruner")  # type: ignore[union-attr]
    if isinstance(inner, dict):
        _drop(mended.wrapped_pruner, _file(PATIENT).wrapped_pruner)
    return mended


@lru_cache
def _file(name: str) -> DictConfig:
    loaded = OmegaConf.load(FOLDER / name)
    assert isinstance(loaded, DictConfig)
    return loaded


def _drop(config: DictConfig, default: DictConfig) -> None:
    """Delete what a config has from the default of another class."""
    written, defaults = _as_written(config), _as_written(default)
    target = written.get("_target_")
    if target == defaults.pop("_target_") or (taken := _parameters(target)) is None:
        return
    with read_write(config), open_dict(config):
        for name, value in defaults.items():
            if name not in written or written[name] != value:
                continue  # the user's own
            # What the class takes is known as the default's by how the file writes it.
            if name not in taken or value is None or OmegaConf.is_interpolation(config, name):
                del config[name]


def _as_written(config: DictConfig) -> dict[str, Any]:
    """Return a config as plain data, its interpolations unresolved."""
    return {str(key): value for key, value in OmegaConf.to_container(config).items()}  # type: ignore[union-attr]


def _parameters(target: Any) -> set[str] | None:
    """Return what a class of Optuna's takes; None where there is none of that name."""
    module, _, name = str(target).rpartition(".")
    if module not in MODULES:
        return None
    found = getattr(importlib.import_module(module), name, None)
    return set(inspect.signature(found).parameters) if callable(found) else None
