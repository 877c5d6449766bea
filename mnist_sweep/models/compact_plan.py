"""What a compact network consists of: its convolutions with their channels, counted in closed form.

Plain data and arithmetic, without a tensor: a sweep's gate plans hundreds of networks, each some
dozen times, to find how wide a shape can be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mnist_sweep.models.checks import (
    CLASSES,
    IN_CHANNELS,
    check_at_least_one,
    check_one_of,
    check_positive,
)

KERNELS = ("3x3", "separable_3x3", "separable_5x5", "3x1_1x3")
POOLINGS = ("max", "blur", "stride")
RESIDUALS = ("none", "last", "all")
HEADS = ("linear", "conv")
LEAST_CHANNELS = 4  # of a scaled network: fewer carry next to nothing
SQUEEZED = 4  # channels to a hidden unit, as in MobileNetV3 (https://arxiv.org/abs/1905.02244)


@dataclass(frozen=True)
class Options:
    """What a network is made of, beside its widths; `Compact` says what each means.

    Raises ValueError for a value that is not one of those allowed.
    """

    bottleneck: float | None
    kernel: str
    shared: bool
    pooling: str
    residual: str
    affine: bool
    squeeze_excite: bool
    head: str
    width_step: int

    def __post_init__(self) -> None:
        for name, allowed in (
            ("kernel", KERNELS),
            ("pooling", POOLINGS),
            ("residual", RESIDUALS),
            ("head", HEADS),
        ):
            check_one_of(name, getattr(self, name), allowed)
        check_at_least_one("width_step", self.width_step)
        if self.bottleneck is not None:
            check_positive("bottleneck", self.bottleneck)


@dataclass(frozen=True)
class Convolution:
    """A convolution without bias, whole or in two factors. `kernel`: one of KERNELS, or 1x1."""

    kernel: str
    in_channels: int
    out_channels: int
    stride: int = 1

    @property
    def parameters(self) -> int:
        """Its weights."""
        pairs = self.in_channels * self.out_channels
        return {
            "1x1": pairs,
            "3x3": 9 * pairs,
            "separable_3x3": 9 * self.in_channels + pairs,
            "separable_5x5": 25 * self.in_channels + pairs,
            "3x1_1x3": 3 * pairs + 3 * self.out_channels**2,
        }[self.kernel]


@dataclass(frozen=True)
class Unit:
    """A convolution with its norm and activation.

    `source`: the position of the unit whose weights it uses, its own or an earlier one's. `skip`:
    its input is added. `pools`: it halves height and width after the convolution. `squeezes`: its
    channels are weighted by squeeze-and-excitation.
    """

    convolution: Convolution
    source: int
    skip: bool
    pools: bool
    squeezes: bool


@dataclass(frozen=True)
class Plan:
    """A network's units in order, its stages' channels, and its number of parameters."""

    units: tuple[Unit, ...]
    stages: tuple[tuple[int, ...], ...]
    bottlenecks: tuple[int, ...]
    parameters: int

    @property
    def outline(self) -> str:
        """The channels as a line: 12-16 | 1x1 12, 20-24 | 1x1 16, 24-26."""
        texts = ["-".join(map(str, stage)) for stage in self.stages]
        for number, channels in enumerate(self.bottlenecks, start=1):
            texts[number] = f"1x1 {channels}, {texts[number]}"
        return " | ".join(texts)


def hidden_units(channels: int) -> int:
    """Return the hidden units of squeeze-and-excitation."""
    return max(1, channels // SQUEEZED)


def plan(
    widths: Sequence[Sequence[float]],
    options: Options,
    shapes: Sequence[Sequence[float]] | None = None,
) -> Plan:
    """Return the plan of a network with these widths, whole numbers as they are, others rounded.

    `shapes`: the widths by which convolutions count as equal, which are those before rounding: a
    network that grows must not share more, or its count would fall.
    """
    made = _Units(options)
    stages: list[tuple[int, ...]] = []
    bottlenecks: list[int] = []
    shapes = shapes or widths
    for number, (stage, stage_shapes) in enumerate(zip(widths, shapes, strict=True)):
        is_last = number == len(widths) - 1
        if number and options.bottleneck is not None:
            bottlenecks.append(made.add_bottleneck(widths[number - 1][-1], options.bottleneck))
        residual = options.residual == "all" or (options.residual == "last" and is_last)
        for position, (width, shape) in enumerate(zip(stage, stage_shapes, strict=True)):
            enters = number > 0 and position == 0
            stride = 2 if enters and options.pooling == "stride" else 1
            made.add(width, shape, stride, residual and position > 0)
        made.end_stage(pools=not is_last and options.pooling != "stride")
        stages.append(tuple(u.convolution.out_channels for u in made.units[-len(stage) :]))
    parameters = _count(made.units, options)
    return Plan(tuple(made.units), tuple(stages), tuple(bottlenecks), parameters)


class _Units:
    """The units so far, and what the last one gives: its channels, and those before rounding."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.units: list[Unit] = []
        self.channels, self.shape = IN_CHANNELS, float(IN_CHANNELS)
        self.sources: dict[tuple[float, float, int], int] = {}

    def add(self, width: float, shape: float, stride: int, skips: bool) -> None:
        """Add a convolution; it has a skip where it may and the channels stay."""
        channels, position = _whole(width, self.options.width_step), len(self.units)
        # Of the image's one channel a separable convolution would have one filter.
        kernel = self.options.kernel if self.units else "3x3"
        source = position
        if self.options.shared and self.units:
            source = self.sources.setdefault((self.shape, shape, stride), position)
        skip = skips and channels == self.channels
        self._append(Convolution(kernel, self.channels, channels, stride), source, skip)
        self.shape = shape

    def add_bottleneck(self, width: float, ratio: float) -> int:
        """Add a 1x1 convolution to a fraction of a width; return its channels."""
        channels = _whole(float(width * ratio), self.options.width_step)
        self._append(Convolution("1x1", self.channels, channels), len(self.units), False)
        self.shape *= ratio
        return channels

    def end_stage(self, pools: bool) -> None:
        """Have the last unit do what is done at a stage's end."""
        squeezes = self.options.squeeze_excite
        self.units[-1] = replace(self.units[-1], pools=pools, squeezes=squeezes)

    def _append(self, convolution: Convolution, source: int, skip: bool) -> None:
        self.units.append(Unit(convolution, source, skip, pools=False, squeezes=False))
        self.channels = convolution.out_channels


def _whole(width: float, step: int) -> int:
    """Return a width in channels: rounded to a multiple of the step unless it is whole already."""
    if isinstance(width, int):
        return width
    least = math.ceil(LEAST_CHANNELS / step) * step
    return max(least, math.floor(width / step + 0.5) * step)


def _count(units: Sequence[Unit], options: Options) -> int:
    total = 0
    for position, unit in enumerate(units):
        channels = unit.convolution.out_channels
        if unit.source == position:
            total += unit.convolution.parameters
        if options.affine:
            total += 2 * channels
        if unit.squeezes:
            hidden = hidden_units(channels)
            total += 2 * channels * hidden + hidden + channels
    last = units[-1].convolution.out_channels
    return total + CLASSES * last + (CLASSES if options.head == "linear" else 2 * CLASSES)
