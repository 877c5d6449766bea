"""The sampler's grid, whether that is exhausted, and its seed in a resumed study."""

import functools
import math
from typing import Any

from hydra.core.override_parser.types import FloatRange
from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GridSampler, QMCSampler

from mnist_sweep.private_names import GRID_ID
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.search_space import SearchSpace
from mnist_sweep.sweep.trials.tally import Tally

SAMPLER_TARGETS = ("hydra_plugins.hydra_optuna_sweeper.*", "optuna.samplers.*")


def take_grid(sampler: Any, space: SearchSpace) -> tuple[Any, int | None]:
    """Give a grid sampler its grid; return the sampler and its number of points, None without one.

    Raises SweepError for a space that is no grid.
    """
    if not isinstance(sampler, functools.partial) or sampler.func is not GridSampler:
        return sampler, None
    if names := space.searched_under_conditions():
        raise SweepError(
            f"a grid cannot search under conditions, as it would {', '.join(names)}; fix "
            "them, or leave their conditions out with '~hydra.sweeper.conditional'"
        )
    grid = {name: _values(name, setting) for name, setting in space.searched().items()}
    return sampler(grid), math.prod(len(values) for values in grid.values())


def _values(name: str, distribution: BaseDistribution) -> list[Any]:
    """Return what a grid has of a setting, as the stock sweeper does."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    assert isinstance(distribution, FloatDistribution)
    if distribution.step is None:
        raise SweepError(
            f"a grid needs separate values, but {name} is continuous ({distribution}): "
            "give it a choice, or a range with a step"
        )
    values = [*FloatRange(distribution.low, distribution.high, distribution.step)]
    return values if values and values[-1] == distribution.high else [*values, distribution.high]


def grid_is_exhausted(tally: Tally, points: int | None) -> bool:
    """Whether a grid of so many points has none left that is neither done nor being done.

    `GridSampler.is_exhausted` counts a running point as left: it would be proposed once more.
    """
    if points is None or tally.waiting:
        return False
    visited = {trial.system_attrs.get(GRID_ID) for trial in tally.trials} - {None}
    return len(visited) >= points


def reseed(sampler: BaseSampler, config: DictConfig | None, earlier: int) -> BaseSampler:
    """Return a study's sampler, its seed moved by the sweeps before this one.

    With the bare seed, a resumed sweep, or one beside another, would propose the same again.
    `config` is what the sampler was made from.
    """
    if config is None or config.get("seed") is None or not earlier:
        return sampler
    # A grid knows its visited points; a quasi-random sequence continues only with the same seed.
    if isinstance(sampler, GridSampler | QMCSampler):
        return sampler
    moved = instantiate(config, seed=config.seed + earlier, _execution_whitelist_=SAMPLER_TARGETS)
    assert isinstance(moved, BaseSampler)
    return moved
