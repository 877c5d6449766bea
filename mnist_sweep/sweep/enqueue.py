"""Configurations that are tried first: the default one, and those that the user names."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import GridSampler

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space import SearchSpace, override_value


def enqueue(
    study: optuna.Study,
    space: SearchSpace,
    config: DictConfig,
    configurations: Sequence[Mapping[str, Any]],
    default_first: bool,
) -> None:
    """Queue the default configuration in a new study, and what is not yet in it of the others.

    Call it under the study's lock. Raises SweepError for a value outside the space, and for a grid,
    which has its own points and no others.
    """
    if isinstance(study.sampler, GridSampler):
        if configurations:
            raise SweepError("hydra.sweeper.enqueue: a grid runs its own points and no others")
        return
    if not isinstance(configurations, Sequence) or isinstance(configurations, str):
        raise SweepError(
            f"hydra.sweeper.enqueue must list configurations, but got {configurations!r}"
        )
    queued = [_checked(n, space, config, chosen) for n, chosen in enumerate(configurations)]
    if default_first and not study.get_trials(deepcopy=False):
        default = default_configuration(space, config)
        if default:
            study.enqueue_trial(default)
    for chosen in queued:
        study.enqueue_trial(chosen, skip_if_exists=True)


def default_configuration(space: SearchSpace, config: DictConfig) -> dict[str, Any]:
    """Return the composed config's own values of what is searched, as far as the space has them."""
    values: dict[str, Any] = {}
    for name, distribution in _searched(space, config, {}).items():
        found = _member(distribution, _current(config, name))
        if found is not None:
            values[name] = found
    return values


def _searched(
    space: SearchSpace, config: DictConfig, chosen: Mapping[str, Any]
) -> dict[str, BaseDistribution]:
    """Return what is searched where the conditions of the chosen and of the default values hold."""
    searched = space.searched()
    for outer, branches in space.conditional.items():
        setting = space.settings.get(outer)
        default = setting
        if setting is None:
            default = config.hydra.runtime.choices.get(outer)
        elif isinstance(setting, BaseDistribution):
            default = _member(setting, _current(config, outer))
        branch = branches.get(override_value(chosen.get(outer, default)), {})
        searched |= {n: s for n, s in branch.items() if isinstance(s, BaseDistribution)}
    return searched


def _current(config: DictConfig, name: str) -> Any:
    """Return the composed value of a setting, or the choice of a group."""
    plain = name.lstrip("+")
    choice = config.hydra.runtime.choices.get(plain)
    try:
        return choice if choice is not None else OmegaConf.select(config, plain)
    except OmegaConfBaseException:  # it has no value of its own, say one from the environment
        return None


def _member(distribution: BaseDistribution, value: Any) -> Any:
    """Return a value as the distribution has it, or None where it does not."""
    if isinstance(distribution, CategoricalDistribution):
        written = override_value(value)
        return next((c for c in distribution.choices if override_value(c) == written), None)
    try:
        internal = distribution.to_internal_repr(value)
        if not distribution._contains(internal):
            return None
        return distribution.to_external_repr(internal)
    except (TypeError, ValueError):
        return None


def _checked(
    position: int, space: SearchSpace, config: DictConfig, chosen: Mapping[str, Any]
) -> dict[str, Any]:
    where = f"hydra.sweeper.enqueue[{position}]"
    if not isinstance(chosen, Mapping | DictConfig):
        raise SweepError(f"{where} must map settings to values, but got {chosen!r}")
    given = {str(name): value for name, value in chosen.items()}
    searched = _searched(space, config, given)
    values = {}
    for name, value in given.items():
        if name not in searched:
            raise SweepError(
                f"{where}: {name}={value} is not searched here; searched are "
                f"{', '.join(sorted(searched))}"
            )
        member = _member(searched[name], value)
        if member is None:
            raise SweepError(f"{where}: {name}={value} is outside the space's {searched[name]}")
        values[name] = member
    return values
