"""A small ResNet for 28x28 images (He et al. 2015, https://arxiv.org/abs/1512.03385)."""

from torch import Tensor, nn

from mnist_sweep.models.checks import (
    CLASSES,
    IMAGE_SIZE,
    IN_CHANNELS,
    check_at_least_one,
    check_dropout,
    scaled,
)
from mnist_sweep.models.layers import BatchNorm2d, Conv2d

MOST_BLOCKS = 100


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution; BatchNorm follows each one, so it has no bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, projected where the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.norm1 = BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, out_channels, H/stride, W/stride]."""
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        activated: Tensor = self.relu(y + self.shortcut(x))
        return activated


class ResNet(nn.Module):
    """A 3x3 stem, then groups of basic blocks that halve the image and widen.

    `channels` lists the width of each group before the `width` multiplier. Raises ValueError for
    an empty list, a count below 1, more than MOST_BLOCKS (a file that names billions would be built
    without end), a dropout outside [0, 1) or a width that is not positive.
    """

    def __init__(
        self,
        channels: list[int],
        blocks: int = 1,
        dropout: float = 0.05,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least_one("blocks", blocks)
        if blocks > MOST_BLOCKS:
            raise ValueError(f"blocks must be at most {MOST_BLOCKS}, but got {blocks}")
        check_dropout(dropout)
        most = IMAGE_SIZE.bit_length()
        if not 1 <= len(channels) <= most:
            raise ValueError(f"channels must list 1 to {most} groups, but got {channels}")
        widths = [scaled(c, width) for c in channels]
        self.stem = nn.Sequential(
            conv3x3(IN_CHANNELS, widths[0]), BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        groups: list[nn.Module] = []
        in_channels = widths[0]
        for group, out_channels in enumerate(widths):
            for block in range(blocks):
                stride = 2 if group > 0 and block == 0 else 1
                groups.append(BasicBlock(in_channels, out_channels, stride))
                in_channels = out_channels
        self.blocks = nn.Sequential(*groups)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(in_channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] -> logits [B, 10]."""
        pooled = self.blocks(self.stem(images)).mean((2, 3))  # [B, last channels]
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits
