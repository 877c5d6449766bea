"""The gate: what a proposal costs, known before anything is launched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf


@dataclass(frozen=True)
class Verdict:
    """What a gate found out about one proposal.

    `constraints` are told to the sampler: a value above 0 is infeasible, by that much. `attributes`
    are recorded with the trial. `reason` says why the proposal is rejected; None lets it pass.
    """

    constraints: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def excess(self) -> float:
        """By how much the proposal misses being feasible, in its worst constraint."""
        return max(self.constraints.values(), default=0.0)


def parameter_budget(config: DictConfig, hydra: DictConfig) -> Verdict:
    """Count a proposal's model on the meta device, against `budget.max_parameters`.

    Only a model that fits has its other settings checked too: a rejection must cost next to
    nothing. Raises UserError when the proposal cannot be a run at all.
    """
    from mnist_sweep.config import check
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
