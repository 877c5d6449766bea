"""Which pruner a study has, and where pruning makes no sense."""

import warnings
from collections.abc import Sequence
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner

from mnist_sweep.allowed_targets import KINDS, check_tree
from mnist_sweep.errors import UserError
from mnist_sweep.objectives import known_before
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.replaced_defaults import PRUNER, own_settings
from mnist_sweep.text import one_line

TARGETS = ("optuna.pruners.*",)


def build_pruner(config: DictConfig | None) -> BasePruner:
    """Build the pruner that a config names; None is no pruning. Raises SweepError."""
    if config is None:
        return NopPruner()
    try:
        config = _with_epochs_or_auto(own_settings(config, PRUNER))
        check_tree("hydra.sweeper.pruner", config, KINDS["hydra.sweeper.pruner"])
        with warnings.catch_warnings():
            # Optuna's interface of some may change; it is Optuna's pin that guards against that.
            warnings.simplefilter("ignore", ExperimentalWarning)
            pruner = instantiate(config, _execution_whitelist_=TARGETS)
    except UserError as error:  # what may not be named
        raise SweepError(str(error)) from error
    except Exception as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        reason = one_line(cause or error)
        settings = OmegaConf.to_container(config) if OmegaConf.is_config(config) else config
        raise SweepError(f"hydra.sweeper.pruner={settings} cannot be built: {reason}") from error
    if not isinstance(pruner, BasePruner):
        raise SweepError(f"hydra.sweeper.pruner={config} is not an Optuna pruner")
    return pruner


def _with_epochs_or_auto(config: Any) -> Any:
    """Leave `max_resource` to Optuna where it stands for `epochs` that are no number of epochs.

    hyperband.yaml takes it from the setting of that name, which another application may lack, or
    use for something else.
    """
    if not (OmegaConf.is_dict(config) and "max_resource" in config):
        return config
    if not OmegaConf.is_interpolation(config, "max_resource"):
        return config
    try:
        epochs = config.max_resource
    except OmegaConfBaseException:  # what a job alone can resolve
        epochs = None
    if type(epochs) is int and epochs >= 1:
        return config
    mended = config.copy()
    with read_write(mended):
        mended.max_resource = "auto"
    return mended


def why_off(
    pruner: BasePruner, directions: Sequence[str], shared: bool, objective: Any
) -> str | None:
    """Say why nothing will be pruned although a pruner is asked for; None where it will."""
    if isinstance(pruner, NopPruner):
        return None
    if len(directions) > 1:
        return "Optuna prunes for a single objective, and there are several"
    if not shared:
        return "hydra.sweeper.storage=null cannot be reached by the jobs"
    if known_before(objective):
        return f"objective={objective} is known before a job starts"
    return None
