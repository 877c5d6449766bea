"""The staged CNN of baseline, enhanced, residual and wide, and the plain two-convolution CNN."""

from collections.abc import Sequence

from torch import Tensor, nn

from mnist_sweep.models.checks import (
    CLASSES,
    IMAGE_SIZE,
    IN_CHANNELS,
    check_at_least_one,
    check_dropout,
    scaled,
)
from mnist_sweep.models.layers import BatchNorm2d, Conv2d, normalized


class ConvUnit(nn.Module):
    """Convolution with bias, BatchNorm, ReLU; with `skip`, the input is added before the ReLU.

    `pool` halves height and width. It comes before the ReLU, which then has a quarter of the work:
    the largest of four numbers is cut off at zero as the four are, also in the backward pass.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, skip: bool, pool: bool = False
    ) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.norm = BatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, out_channels, H', W'], halved where it pools."""
        y = normalized(self.conv, self.norm, x)
        if self.skip:
            y = y + x
        activated: Tensor = self.relu(self.pool(y))
        return activated


def conv_stage(
    in_channels: int, channels: Sequence[int], residual: bool, pool: bool
) -> nn.Sequential:
    """One 3x3 unit followed by 1x1 units, of which the last pools where `pool` says so.

    `residual` adds a skip wherever the width is constant.
    """
    units = []
    for position, out_channels in enumerate(channels):
        kernel_size, last = 3 if position == 0 else 1, position == len(channels) - 1
        skip = residual and in_channels == out_channels
        units.append(ConvUnit(in_channels, out_channels, kernel_size, skip, pool and last))
        in_channels = out_channels
    return nn.Sequential(*units)


class StagedCNN(nn.Module):
    """Stages of conv 3x3, conv 1x1, conv 1x1 with 2x2 max-pooling between them.

    After the last stage: global average pooling, dropout, linear classifier. `stages` lists the
    output channels of each stage's convolutions before `width` scales them; the four shipped lists
    meet the parameter counts of the published experiments (17,758 to 19,881).

    Raises ValueError for an empty stage list, a non-positive channel count or width, a dropout
    outside [0, 1), or more stages than a 28x28 image can be halved for.
    """

    def __init__(
        self,
        stages: list[list[int]],
        dropout: float = 0.05,
        width: float = 1.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        check_dropout(dropout)
        if not stages or not all(stages):
            raise ValueError(f"stages must list the channels of every stage, but got {stages}")
        most = IMAGE_SIZE.bit_length()  # 28 -> 14 -> 7 -> 3 -> 1: four poolings, five stages
        if len(stages) > most:
            raise ValueError(
                f"stages must number at most {most} on {IMAGE_SIZE}x{IMAGE_SIZE} images, "
                f"but got {len(stages)}"
            )
        layers: list[nn.Module] = []
        in_channels = IN_CHANNELS
        for number, channels in enumerate(stages, start=1):
            scaled_channels = [scaled(c, width) for c in channels]
            pool = number < len(stages)
            layers.append(conv_stage(in_channels, scaled_channels, residual, pool))
            in_channels = scaled_channels[-1]
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(in_channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] -> logits [B, 10]."""
        pooled = self.features(images).mean((2, 3))  # [B, last channels]
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


class SimpleCNN(nn.Module):
    """Two 3x3 convolutions (16 and 32 channels) with ReLU and pooling, then two linear layers.

    206,922 parameters with 128 hidden units and 20,600 with 10: both over the default budget.
    Raises ValueError for `hidden` below 1, dropout outside [0, 1), or width not above 0.
    """

    def __init__(self, hidden: int = 128, dropout: float = 0.05, width: float = 1.0) -> None:
        super().__init__()
        check_at_least_one("hidden", hidden)
        check_dropout(dropout)
        first, second = scaled(16, width), scaled(32, width)
        self.features = nn.Sequential(
            nn.Conv2d(IN_CHANNELS, first, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(second * (IMAGE_SIZE // 4) ** 2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, CLASSES),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] -> logits [B, 10]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
