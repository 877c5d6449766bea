"""Configurations that are tried first: the default one, and those that the user names."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from omegaconf import DictConfig
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import NOTHING, BaseConfig
from mnist_sweep.sweep.space.grammar import member
from mnist_sweep.sweep.space.search_space import UNKNOWN, SearchSpace
from mnist_sweep.sweep.space.values import written


def enqueue(
    study: optuna.Study,
    space: SearchSpace,
    current: BaseConfig,
    configurations: Sequence[Mapping[str, Any]],
    default_first: bool,
) -> None:
    """Queue the default configuration in a new study, and what is not yet in it of the others.

    Call it under the study's lock. Raises what `read_configurations` does.
    """
    queued = read_configurations(study.sampler, space, current, configurations)
    if isinstance(study.sampler, GridSampler):
        return
    if default_first and not study.get_trials(deepcopy=False):
        default = default_configuration(space, current)
        if default:
            study.enqueue_trial(default)
    for chosen in queued:
        study.enqueue_trial(chosen, skip_if_exists=True)


def read_configurations(
    sampler: BaseSampler,
    space: SearchSpace,
    current: BaseConfig,
    configurations: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return the user's configurations with values as the space has them.

    Raises SweepError for a value outside the space, and for a grid, which has its own points and no
    others.
    """
    if configurations and isinstance(sampler, GridSampler):
        raise SweepError(
            "hydra.sweeper.enqueue: a grid runs only its own points; leave enqueue out"
        )
    if not isinstance(configurations, Sequence) or isinstance(configurations, str):
        raise SweepError(
            f"hydra.sweeper.enqueue must list configurations, but got {configurations!r}"
        )
    return [_checked(n, space, current, chosen) for n, chosen in enumerate(configurations)]


def default_configuration(space: SearchSpace, current: BaseConfig) -> dict[str, Any]:
    """Return the composed config's own values of what is searched, as far as the space has them."""
    searched, values = _walked(space, current, {})
    return {name: values[name] for name in searched if name in values}


def _walked(
    space: SearchSpace, current: BaseConfig, chosen: Mapping[str, Any]
) -> tuple[dict[str, BaseDistribution], dict[str, Any]]:
    """Return what is searched where the conditions of the chosen and of the default values hold.

    And those values, as the space has them.
    """
    searched: dict[str, BaseDistribution] = {}
    values: dict[str, Any] = {}

    def choose(name: str, distribution: BaseDistribution) -> Any:
        searched[name] = distribution
        value = chosen[name] if name in chosen else current.value(name)
        found = None if value is NOTHING else member(distribution, value)
        if found is None:
            return UNKNOWN
        values[name] = found
        return found

    space.walk(choose, current)
    return searched, values


def _checked(
    position: int, space: SearchSpace, current: BaseConfig, chosen: Mapping[str, Any]
) -> dict[str, Any]:
    where = f"hydra.sweeper.enqueue[{position}]"
    if not isinstance(chosen, Mapping | DictConfig):
        raise SweepError(f"{where} must map settings to values, but got {chosen!r}")
    given = {str(name): value for name, value in chosen.items()}
    searched, values = _walked(space, current, given)
    for name, value in given.items():
        text = f"{name}={written(value)}"
        if name not in searched:
            raise SweepError(
                f"{where}: {text} is not searched here; searched are {', '.join(sorted(searched))}"
            )
        if name not in values:
            raise SweepError(f"{where}: {text} is outside the space's {searched[name]}")
    return {name: values[name] for name in given}
