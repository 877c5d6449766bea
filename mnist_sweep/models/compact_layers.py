"""What a compact network is built of: convolutions in factors, blur, excitation, heads."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from mnist_sweep.models.checks import CLASSES
from mnist_sweep.models.compact_plan import Convolution, Unit, hidden_units
from mnist_sweep.models.layers import BatchNorm2d, Conv2d

LEAK = 0.1  # as in Darknet; torch's own 0.01 is hardly another function than relu
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "leaky_relu": partial(nn.LeakyReLU, LEAK, inplace=True),
    "silu": partial(nn.SiLU, inplace=True),
}


class Blur(nn.Module):
    """A fixed binomial 3x3 filter with stride 2, which halves height and width without aliasing.

    As in Zhang 2019 (https://arxiv.org/abs/1904.11486); beyond the border are zeros, as the
    convolutions have them.
    """

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Not computed by torch: on the meta device, its first outer product imports for seconds.
        weights = [[a * b / 16 for b in (1, 2, 1)] for a in (1, 2, 1)]
        self.channels = channels
        self.register_buffer("kernel", torch.tensor([[weights]] * channels), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, channels, ceil(H/2), ceil(W/2)]."""
        return F.conv2d(x, self.kernel, stride=2, padding=1, groups=self.channels)


class SqueezeExcite(nn.Module):
    """Weights channels by what all of them are on average (https://arxiv.org/abs/1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden_units(channels))
        self.excite = nn.Linear(hidden_units(channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> the same shape."""
        weights = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


def factors(convolution: Convolution) -> nn.Sequential:
    """Build a convolution without bias: one, or two that follow each other with nothing between."""
    kernel, i, o = convolution.kernel, convolution.in_channels, convolution.out_channels
    stride = convolution.stride
    if kernel in ("1x1", "3x3"):
        size = int(kernel[0])
        return nn.Sequential(Conv2d(i, o, size, stride, padding=size // 2, bias=False))
    if kernel == "3x1_1x3":
        return nn.Sequential(
            Conv2d(i, o, (3, 1), (stride, 1), padding=(1, 0), bias=False),
            Conv2d(o, o, (1, 3), (1, stride), padding=(0, 1), bias=False),
        )
    size = int(kernel[-1])
    return nn.Sequential(
        Conv2d(i, i, size, stride, padding=size // 2, groups=i, bias=False),
        Conv2d(i, o, 1, bias=False),
    )


class CompactUnit(nn.Module):
    """A convolution, its norm, a skip, pooling and the activation, then squeeze-and-excitation.

    `convolution` is None where the weights are an earlier unit's, which `forward` is given.
    """

    def __init__(self, unit: Unit, own: bool, pooling: str, activation: str, affine: bool) -> None:
        super().__init__()
        channels = unit.convolution.out_channels
        self.convolution = factors(unit.convolution) if own else None
        self.norm = BatchNorm2d(channels, affine=affine)
        pool: list[nn.Module] = []
        if unit.pools:
            pool = [nn.MaxPool2d(2) if pooling == "max" else Blur(channels)]
        # The largest of four and a function that rises everywhere can change places, and then the
        # function has a quarter of the work. A blur is of what is activated; silu does not rise.
        first = pooling == "max" and activation != "silu"
        act = [ACTIVATIONS[activation]()]
        self.after = nn.Sequential(*(pool + act if first else act + pool))
        self.squeeze_excite = SqueezeExcite(channels) if unit.squeezes else None
        self.skip = unit.skip

    def forward(self, x: Tensor, convolution: nn.Module) -> Tensor:
        """[B, in_channels, H, W] -> [B, out_channels, H', W'], halved where it pools or strides."""
        y = self.norm(convolution(x))
        if self.skip:
            y = y + x
        y = self.after(y)
        result: Tensor = y if self.squeeze_excite is None else self.squeeze_excite(y)
        return result


class ConvHead(nn.Module):
    """A 1x1 convolution to the classes and its norm, then the average over pixels.

    Without the norm it would be what `linear` is: averaging and a linear map can change places.
    Dropout drops channels, as it does before the linear classifier.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.conv = Conv2d(channels, CLASSES, 1, bias=False)
        self.norm = BatchNorm2d(CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> logits [B, 10]."""
        logits: Tensor = self.norm(self.conv(self.dropout(x))).mean((2, 3))
        return logits


class LinearHead(nn.Module):
    """The average over pixels, dropout, and a linear classifier."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> logits [B, 10]."""
        logits: Tensor = self.classifier(self.dropout(x.mean((2, 3))))
        return logits
