"""Which pruner a study has, and where pruning makes no sense."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner

from mnist_sweep.allowed_targets import KINDS, check_tree
from mnist_sweep.errors import UserError
from mnist_sweep.objectives import known_before
from mnist_sweep.sweep import first_rung
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.replaced_defaults import PRUNER, own_settings
from mnist_sweep.text import one_line

TARGETS = ("optuna.pruners.*",)
NODE = "hydra.sweeper.pruner"
UNKNOWN = "unknown"


def build_pruner(config: DictConfig | None) -> BasePruner:
    """Build the pruner that a config names; None is no pruning. Raises SweepError."""
    if config is None:
        return NopPruner()
    try:
        config = _with_known_epochs(own_settings(config, PRUNER))
        check_tree(NODE, config, KINDS[NODE])
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


def computed_settings(config: DictConfig, epochs: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the numbers that the pruner's settings come to in a sweep's config, by name.

    The study has them for its jobs: trials are compared at the same rungs, whatever `epochs` they
    have. `epochs` are the lengths of a trial that are searched: rungs are those of the shortest,
    and `max_resource` is the longest. A number that only a job can compute is left to it.
    """
    own = own_settings(OmegaConf.select(config, NODE), PRUNER)
    if not isinstance(own, DictConfig):
        return {}
    lengths = [length for length in epochs if type(length) is int]
    found = {}
    for name in map(str, own):
        if OmegaConf.is_interpolation(own, name):
            end = max if name == "max_resource" else min
            whole = _with_epochs(config, end(lengths)) if lengths else config
            value = OmegaConf.select(whole, f"{NODE}.{name}", throw_on_resolution_failure=False)
            if type(value) in (int, float) and value > 0:
                found[name] = value
    return found


def _with_epochs(config: DictConfig, epochs: int) -> DictConfig:
    changed = config.copy()
    with read_write(changed), open_dict(changed):
        changed["epochs"] = epochs
    return changed


def with_settings(config: Any, settings: Any) -> Any:
    """Return a pruner's config with the settings that `computed_settings` has found for a sweep.

    Only where the config computes them: what it names itself stays. A study that another program
    has written may have anything for `settings`.
    """
    if not (isinstance(settings, Mapping) and isinstance(config, DictConfig)):
        return config
    changed = config.copy()
    with read_write(changed):
        for name, value in settings.items():
            computed = name in changed and OmegaConf.is_interpolation(changed, name)
            if computed and type(value) in (int, float):
                changed[name] = value
    return changed


def _with_known_epochs(config: Any) -> Any:
    """Return the config of a pruner, which may ask for `epochs`, where those are no number.

    Another application may lack that setting, or use it for something else. hyperband.yaml then
    leaves `max_resource` to Optuna, and successive_halving.yaml begins with the second epoch.
    """
    if not OmegaConf.is_dict(config):
        return config
    mended = config.copy()
    with read_write(mended):
        longest = _resolved(config, "max_resource", "${")
        if longest is not None and not (type(longest) is int and longest >= 1):
            mended.max_resource = "auto"
        if _resolved(config, "min_resource", "${first_rung:") is UNKNOWN:
            mended.min_resource = first_rung.LEAST
    return mended


def _resolved(config: Any, name: str, start: str) -> Any:
    """Return what a setting comes to that is written so; UNKNOWN where it has no value here."""
    written = dict(OmegaConf.to_container(config)).get(name)  # type: ignore[arg-type]
    if not (isinstance(written, str) and written.startswith(start)):
        return None
    try:
        return UNKNOWN if config[name] is None else config[name]
    except OmegaConfBaseException:  # what a job alone can resolve
        return UNKNOWN


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
