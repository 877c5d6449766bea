"""What the sampler needs to know: its grid, that a grid is exhausted, that a study goes on."""

import functools
import math
from typing import Any

import optuna
from hydra.utils import instantiate
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig
from optuna.samplers import BaseSampler, GridSampler, QMCSampler
from optuna.trial import TrialState

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space import SearchSpace

SAMPLER_TARGETS = ("hydra_plugins.hydra_optuna_sweeper.*", "optuna.samplers.*")


def take_grid(sampler: Any, space: SearchSpace) -> tuple[Any, int | None]:
    """Give a grid sampler its grid; return the sampler and its number of points, None without one.

    Raises SweepError for a space that is no grid.
    """
    if not isinstance(sampler, functools.partial) or sampler.func is not GridSampler:
        return sampler, None
    if space.conditional:
        raise SweepError("a grid cannot be conditional; use '~hydra.sweeper.conditional'")
    choices = OptunaSweeperImpl._to_grid_sampler_choices
    try:
        grid = {name: list(choices(setting)) for name, setting in space.searched().items()}
    except ValueError as error:
        raise SweepError(f"the search space is no grid: {error}") from error
    return sampler(grid), math.prod(len(values) for values in grid.values())


def grid_is_exhausted(study: optuna.Study) -> bool:
    """Whether a grid sampler has no point left that is neither done nor being done.

    Optuna's own answer counts a running point as left: its sampler would propose it once more.
    """
    sampler = study.sampler
    if not isinstance(sampler, GridSampler):
        return False
    trials = study.get_trials(deepcopy=False)
    if any(trial.state == TrialState.WAITING for trial in trials):
        return False
    taken = {trial.system_attrs.get("grid_id") for trial in trials} - {None}
    return len(taken) >= len(sampler._all_grids)


def reseed(sampler: BaseSampler, config: DictConfig | None, earlier: int) -> BaseSampler:
    """Return a study's sampler, its seed moved by the sweeps before this one.

    With the bare seed, a sweep that goes on, or one beside another, would propose the same again.
    `config` is what the sampler was made from.
    """
    if config is None or config.get("seed") is None or not earlier:
        return sampler
    # A grid knows its visited points; a quasi-random sequence goes on only with its own seed.
    if isinstance(sampler, GridSampler | QMCSampler):
        return sampler
    moved = instantiate(config, seed=config.seed + earlier, _execution_whitelist_=SAMPLER_TARGETS)
    assert isinstance(moved, BaseSampler)
    return moved
