"""Optuna's distributions, through its public interface: suggest from one, ask what one contains."""

from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial, TrialState, create_trial

from mnist_sweep.sweep.space.values import override_value


def suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Have a trial suggest a parameter from a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(distribution, IntDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        return trial.suggest_int(name, low, high, step=step, log=distribution.log)
    return trial.suggest_float(
        name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
    )


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value may be drawn from a distribution."""
    try:
        create_trial(
            state=TrialState.RUNNING, params={"x": value}, distributions={"x": distribution}
        )
    except (ValueError, TypeError):
        return False
    return True


def described(distribution: BaseDistribution) -> str:
    """Return a distribution as people read it: its choices, or its ends, step and scale."""
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(override_value(choice) for choice in distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    kind = "whole numbers " if isinstance(distribution, IntDistribution) else ""
    steps = f" in steps of {step:g}" if step is not None and not (kind and step == 1) else ""
    return f"{kind}{low:g} to {high:g}{steps}{', logarithmic' if distribution.log else ''}"


def only_value(distribution: BaseDistribution) -> Any:
    """Return the value of a distribution that has a single one."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low
