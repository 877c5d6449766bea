"""Averaged weights: an exponential moving average over a run's steps.

The average of the last steps is a better network than any of them, long before the learning rate
has fallen (Polyak and Juditsky, 1992, doi 10.1137/0330046). docs/recipes.md has measurements.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import swa_utils

Update: TypeAlias = Callable[[list[Tensor], list[Tensor], None], None]


class Averaging:
    """A copy of a network whose weights are the moving average of that network's.

    Each update leaves `decay` of the average and takes in the rest anew; `every`: steps between
    updates. Buffers, such as the statistics of a BatchNorm, are averaged alike, but for whole
    numbers, which are copied. Not by torch's AveragedModel, which takes twice as long for networks
    of many small tensors.
    """

    def __init__(self, model: nn.Module, decay: float, every: int = 1) -> None:
        self.model = deepcopy(model).requires_grad_(False)
        self.decay, self.every, self.steps = decay, every, 0

    def after_step(self, model: nn.Module) -> None:
        """Count a step of the network that is averaged, and take in its weights where due."""
        self.steps += 1
        if self.steps % self.every == 0:
            self._take_in(model)

    @torch.no_grad()
    def _take_in(self, model: nn.Module) -> None:
        averaged: list[Tensor] = [*self.model.parameters()]
        current: list[Tensor] = [*model.parameters()]
        for own, its in zip(self.model.buffers(), model.buffers(), strict=True):
            if own.is_floating_point():
                averaged.append(own)
                current.append(its)
            else:
                own.copy_(its)
        update: Update = swa_utils.get_ema_multi_avg_fn(self._decay_now())  # type: ignore[no-untyped-call]
        update(averaged, current, None)

    def _decay_now(self) -> float:
        """Return a lower decay for early updates, whose weights are far from where training goes.

        As https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage has it.
        """
        before = self.steps // self.every - 1
        return min(self.decay, (1 + before) / (10 + before))

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain data only, so that it loads with weights_only=True."""
        return {"steps": self.steps, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved average."""
        self.steps = state["steps"]
        self.model.load_state_dict(state["model"])
