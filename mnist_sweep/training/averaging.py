"""Averaged weights: an exponential moving average over a run's steps.

The average of the last steps is a better network than any of them, long before the learning rate
has fallen (Polyak and Juditsky, 1992, doi 10.1137/0330046). docs/recipes.md has measurements.
"""

from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Averaging:
    """A copy of a network whose weights are the moving average of that network's.

    Each update leaves `decay` of the average and takes in the rest anew; `every`: steps between
    updates. Buffers, such as the statistics of a BatchNorm, are averaged alike.
    """

    def __init__(self, model: nn.Module, decay: float, every: int = 1) -> None:
        self.decay, self.every, self.steps = decay, every, 0
        self.averaged = AveragedModel(model, multi_avg_fn=self._take_in, use_buffers=True)

    @property
    def model(self) -> nn.Module:
        """The network of averaged weights."""
        return self.averaged.module

    def after_step(self, model: nn.Module) -> None:
        """Count a step of the network that is averaged, and take in its weights where due."""
        self.steps += 1
        if self.steps % self.every == 0:
            self.averaged.update_parameters(model)

    def _take_in(self, averaged: list[Tensor], current: list[Tensor], count: object) -> None:
        # What early updates hold is far from where training goes: a lower decay forgets it, as in
        # https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage
        updates = self.steps // self.every - 1
        decay = min(self.decay, (1 + updates) / (10 + updates))
        get_ema_multi_avg_fn(decay)(averaged, current, count)

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain data only, so that it loads with weights_only=True."""
        return {"steps": self.steps, "averaged": self.averaged.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved average."""
        self.steps = state["steps"]
        self.averaged.load_state_dict(state["averaged"])
