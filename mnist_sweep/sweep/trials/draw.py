"""A configuration that is being drawn for a trial, before the study knows of it."""

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import BaseTrial, FrozenTrial

from mnist_sweep.private_names import FIXED_PARAMS
from mnist_sweep.sweep.space.distributions import contains, only_value


class Draw(BaseTrial):
    """A configuration that is being drawn for a trial, and of which the study knows nothing.

    It has what the trial has already and what was enqueued for it, in place of which `chosen` may
    be given: the sampler draws the rest. Attributes stay with it.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        study: optuna.Study,
        trial: FrozenTrial,
        chosen: Mapping[str, Any] | None = None,
    ) -> None:
        self.sampler, self.study, self.trial = sampler, study, copy.copy(trial)
        # Optuna changes neither: a trial that is copied shares them.
        self.trial.params, self.trial.distributions = dict(trial.params), dict(trial.distributions)
        self.queued: Mapping[str, Any] = trial.system_attrs.get(FIXED_PARAMS, {})
        self.fixed = self.queued if chosen is None else chosen
        self.relative: dict[str, Any] | None = None
        self.noted: dict[str, Any] = {}

    def draw(self, name: str, distribution: BaseDistribution) -> Any:
        """Return a parameter's value; the same one when it is asked for again."""
        if name not in self.trial.params:
            internal = distribution.to_internal_repr(self._value(name, distribution))
            self.trial.params[name] = distribution.to_external_repr(internal)  # as the study has it
            self.trial.distributions[name] = distribution
        return self.trial.params[name]

    def overrules_queue(self) -> bool:
        """Whether it has another value than was enqueued: one outside the range, or tried."""
        return any(
            not contains(distribution, self.queued[name])
            or distribution.to_internal_repr(self.queued[name])
            != distribution.to_internal_repr(self.trial.params[name])
            for name, distribution in self.trial.distributions.items()
            if name in self.queued
        )

    def _value(self, name: str, distribution: BaseDistribution) -> Any:
        """Choose as `optuna.trial.Trial` does, in the same order."""
        if name in self.fixed and contains(distribution, self.fixed[name]):
            return self.fixed[name]
        if distribution.single():
            return only_value(distribution)
        if self.relative is None:
            space = self.sampler.infer_relative_search_space(self.study, self.trial)
            self.relative = self.sampler.sample_relative(self.study, self.trial, space)
        if name in self.relative and contains(distribution, self.relative[name]):
            return self.relative[name]
        return self.sampler.sample_independent(self.study, self.trial, name, distribution)

    def suggest_float(
        self,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float:
        """Draw a float."""
        value: float = self.draw(name, FloatDistribution(low, high, log=log, step=step))
        return value

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Draw a whole number."""
        value: int = self.draw(name, IntDistribution(low, high, log=log, step=step))
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Draw one of some choices."""
        return self.draw(name, CategoricalDistribution(choices))

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """Draw a float, as Optuna's users did until version 3."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """Draw a float on a logarithmic scale, as Optuna's users did until version 3."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """Draw a float in steps, as Optuna's users did until version 3."""
        return self.suggest_float(name, low, high, step=q)

    def report(self, value: float, step: int) -> None:
        """Refuse: nothing runs yet. Raises RuntimeError."""
        raise RuntimeError("a trial that is being proposed has nothing to report")

    def should_prune(self) -> bool:
        """Refuse: nothing runs yet. Raises RuntimeError."""
        raise RuntimeError("a trial that is being proposed cannot be pruned")

    def set_user_attr(self, key: str, value: Any) -> None:
        """Note an attribute, for the trial if this configuration becomes the trial's."""
        self.noted[key] = value

    def set_constraint(self, key: str, value: float) -> None:
        """Refuse: constraints are the gate's. Raises RuntimeError."""
        raise RuntimeError("a search space sets no constraints: return them from the gate")

    @property
    def params(self) -> dict[str, Any]:
        """Return what has been drawn, by name."""
        return dict(self.trial.params)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what it was drawn from, by name."""
        return dict(self.trial.distributions)

    @property
    def user_attrs(self) -> dict[str, Any]:
        """Return the trial's attributes, and those noted."""
        return {**self.trial.user_attrs, **self.noted}

    @property
    def constraints(self) -> dict[str, float]:
        """Return the trial's constraints."""
        return self.trial.constraints

    @property
    def datetime_start(self) -> datetime | None:
        """Return when the trial began."""
        return self.trial.datetime_start

    @property
    def number(self) -> int:
        """Return the trial's number."""
        return self.trial.number
