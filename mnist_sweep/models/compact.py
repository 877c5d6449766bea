"""The compact CNN: one class for the families that do well below 20,000 parameters.

docs/architectures.md says where each of its options comes from.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mnist_sweep.models.checks import check_dropout, check_one_of
from mnist_sweep.models.compact_layers import ACTIVATIONS, CompactUnit, ConvHead, LinearHead
from mnist_sweep.models.compact_plan import Options
from mnist_sweep.models.compact_widths import (
    check_stages,
    check_widths,
    fitted_plan,
    relative_widths,
)


class Compact(nn.Module):
    """Stages of convolutions, each with a norm and an activation, between which pixels are halved.

    The first convolution is 3x3; the others are of `kernel`. Of the widths:

    - `widths` lists the channels of each stage's convolutions. Where it is None, `stages` of
      `depth1`, `depth2`, ... convolutions have the widths of `relative_widths`: `channels` in the
      first stage's last, `growth2`, ... times as many from stage to stage, and `entry1`, ... of a
      stage's last in its first.
    - `fill` makes the network as wide as that share of `budget` allows: only the proportions of
      the widths count then. None takes the widths as they are.
    - `width_step`: widths that are computed are multiples of it.

    `bottleneck`: a 1x1 convolution before each stage after the first, to this fraction of the
    channels; None: none. `shared`: convolutions with the same numbers of channels, and stride, are
    one, each use with its own norm; stages after the second are then as wide as it is throughout.
    `pooling`: max or blur at a stage's end, or a stride of 2 where the next begins. `residual`: in
    which stages a convolution that is not its stage's first adds its input, where the width stays.
    `affine`: whether norms have a scale and a shift. `squeeze_excite`: at each stage's end.

    Raises ValueError for a setting outside its range, and for `fill` without a budget.
    """

    def __init__(
        self,
        widths: list[list[int]] | None = None,
        stages: int = 3,
        depth1: int = 2,
        depth2: int = 2,
        depth3: int = 2,
        depth4: int = 2,
        channels: int = 16,
        growth2: float = 1.5,
        growth3: float = 1.08,
        growth4: float = 1.0,
        entry1: float = 0.75,
        entry2: float = 0.83,
        entry3: float = 0.92,
        entry4: float = 1.0,
        fill: float | None = None,
        budget: int | None = None,
        width_step: int = 2,
        bottleneck: float | None = 0.7,
        kernel: str = "3x3",
        shared: bool = False,
        pooling: str = "max",
        residual: str = "none",
        activation: str = "relu",
        affine: bool = True,
        squeeze_excite: bool = False,
        head: str = "linear",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_dropout(dropout)
        check_one_of("activation", activation, tuple(ACTIVATIONS))
        options = Options(
            bottleneck, kernel, shared, pooling, residual, affine, squeeze_excite, head, width_step
        )
        relative: Sequence[Sequence[float]]
        if widths is None:
            check_stages(stages)
            growths, entries = [growth2, growth3, growth4], [entry1, entry2, entry3, entry4]
            if shared:
                growths[1:], entries[1:] = [1.0] * 2, [1.0] * 3
            depths = [depth1, depth2, depth3, depth4][:stages]
            relative = relative_widths(depths, channels, growths[: stages - 1], entries[:stages])
        else:
            check_widths(widths)
            relative = widths
        self.plan = fitted_plan(relative, options, fill, budget)
        self.units = nn.ModuleList(
            CompactUnit(unit, unit.source == position, pooling, activation, affine)
            for position, unit in enumerate(self.plan.units)
        )
        last = self.plan.stages[-1][-1]
        self.head = LinearHead(last, dropout) if head == "linear" else ConvHead(last, dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] -> logits [B, 10]."""
        x = images
        for unit, planned in zip(self.units, self.plan.units, strict=True):
            x = unit(x, self.units[planned.source].convolution)
        logits: Tensor = self.head(x)
        return logits
