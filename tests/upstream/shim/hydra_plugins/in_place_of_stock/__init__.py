"""The stock sweeper's config, but for its `_target_`: Hydra imports what is in `hydra_plugins`."""

from hydra.core.config_store import ConfigStore
from hydra_plugins.hydra_optuna_sweeper import config as _stock  # noqa: F401

_stored = ConfigStore.instance().repo["hydra"]["sweeper"]["optuna.yaml"]
_stored.node._target_ = "mnist_sweep.sweep.sweeper.BudgetSweeper"
