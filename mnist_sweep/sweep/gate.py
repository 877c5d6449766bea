"""The gate: what a proposal costs, known before anything is launched."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from omegaconf import DictConfig, OmegaConf


@dataclass(frozen=True)
class Verdict:
    """What a gate found out about one proposal.

    `constraints` are told to the sampler: a value above 0 is infeasible, by that much. `attributes`
    are recorded with the trial, as JSON. `reason` says why the proposal is rejected; None lets it
    pass: with a constraint above 0 it is run, and is never the best, as in Optuna.

    Raises TypeError for constraints that are no numbers by name, for a reason that is no text, and
    for attributes that JSON does not have, such as NumPy's numbers; ValueError for a constraint
    that is NaN.
    """

    constraints: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str | None):
            raise TypeError(f"reason must be a text or None, but is {self.reason!r}")
        if not isinstance(self.constraints, Mapping):
            raise TypeError(f"constraints must be numbers by name, but are {self.constraints!r}")
        for name, value in self.constraints.items():
            if not isinstance(value, Real):
                raise TypeError(f"constraint {name} must be a number, but is {value!r}")
            if math.isnan(value):
                raise ValueError(f"constraint {name} is NaN: give a number, above 0 if infeasible")
        try:
            json.dumps(dict(self.attributes))
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"attributes must be Python's own numbers, texts, lists and mappings: {error}"
            ) from error

    @property
    def excess(self) -> float:
        """By how much the proposal misses being feasible, in its worst constraint."""
        return max(self.constraints.values(), default=0.0)


def parameter_budget(config: DictConfig, hydra: DictConfig) -> Verdict:
    """Count a proposal's model on the meta device, against `budget.max_parameters`.

    Only a model that fits has its other settings checked too: a rejection must cost next to
    nothing. Raises UserError when the proposal cannot be a run at all.
    """
    from mnist_sweep.config_checks import check
    from mnist_sweep.run.build import check_budget, check_objects, count_model  # imports torch

    name = str(hydra.runtime.choices.get("model"))
    limit = OmegaConf.select(config, "budget.max_parameters")
    if type(limit) is int and "model" in config:
        _, parameters = count_model(config.model, name)
        if parameters > limit > 0:
            return Verdict(
                {"parameters": parameters - limit},
                {"parameters": parameters},
                f"{parameters:,} parameters, {parameters - limit:,} over budget",
            )
    run = check(config)
    cost = check_budget(run, name)
    check_objects(run)
    limit = run.budget.max_parameters
    return Verdict(
        {} if limit is None else {"parameters": cost.parameters - limit},
        {"parameters": cost.parameters, "multiply_adds": cost.multiply_adds},
    )
