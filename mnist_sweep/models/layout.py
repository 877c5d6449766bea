"""The memory layout that a model is trained in: by itself channels_last, unless that goes wrong.

torch 2.13 to 2.15 (oneDNN) write outside their memory in the backward pass of a strided 1x1
convolution with fewer than 8 channels where they take AVX2 kernels: docs/processors.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line

CHANNELS = 8  # float32 values in a register of AVX2
CONVOLUTIONS = (torch.conv2d, torch.conv_transpose2d)
FAULT = (
    f"a strided 1x1 convolution of fewer than {CHANNELS} channels, for which torch's channels_last "
    "kernels can write outside their memory; mnist_sweep.models.layers.Conv2d is safe"
)


# By the names that settings and records have.
MEMORY_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class UnsafeLayout(UserError):
    """A model cannot be trained without a kernel that writes outside its memory."""


@dataclass(frozen=True)
class Layout:
    """A memory format, and why it is not channels_last where nobody asked for another."""

    memory_format: torch.memory_format = torch.channels_last
    reason: str | None = None

    @property
    def name(self) -> str:
        """How records call it."""
        return next(name for name, one in MEMORY_FORMATS.items() if one is self.memory_format)


def set_layout(model: nn.Module, layout: Layout) -> nn.Module:
    """Give a model's weights a layout, and return the model."""
    return model.to(memory_format=layout.memory_format)


def training_layout(
    build: Callable[[], nn.Module], image_shape: tuple[int, int, int] = (1, 28, 28)
) -> Layout:
    """Return the layout to train a model in, found by passing two images through it.

    `build` returns the model anew for each layout that is tried, on the CPU: the meta device keeps
    other layouts. torch's generator is left where it stood. Raises UnsafeLayout for a model that
    makes its tensors channels_last itself and has a faulty kernel.
    """
    reason = _objection(build, torch.channels_last, image_shape)
    if reason is None:
        return Layout()
    contiguous = _objection(build, torch.contiguous_format, image_shape)
    if contiguous is None:
        return Layout(torch.contiguous_format, reason)
    if contiguous == FAULT:
        raise UnsafeLayout(f"the model makes tensors channels_last itself, and has {FAULT}")
    return Layout()  # it fails in either: training it says how


def _objection(
    build: Callable[[], nn.Module], layout: torch.memory_format, image_shape: tuple[int, int, int]
) -> str | None:
    """Why a model should not be trained in a layout; None where it may be."""
    seen = _Convolutions()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), seen:
            model = build().train().to(memory_format=layout)
            model(torch.zeros((2, *image_shape)))
    except Exception as error:  # a view of channels_last pixels, say
        return (
            FAULT if seen.faulty else f"an operation that fails in channels_last: {one_line(error)}"
        )
    return FAULT if seen.faulty else None


class _Convolutions(TorchFunctionMode):
    """Notes whether a convolution that is called in it is one of the faulty kind."""

    def __init__(self) -> None:
        super().__init__()
        self.faulty = False

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Look at a convolution, and compute it."""
        given = kwargs or {}
        if function in CONVOLUTIONS:
            self.faulty = self.faulty or _is_faulty(args, given)
        return function(*args, **given)


def _is_faulty(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a convolution meets the faulty kernel in its backward pass; see docs/processors.md.

    The arguments are torch.conv2d's (input, weight, bias, stride, padding, dilation, groups) or
    torch.conv_transpose2d's, which begin alike and have groups at the same place.
    """
    given = dict(zip(("input", "weight", "bias", "stride", "", "", "groups"), args, strict=False))
    given |= kwargs
    x, weight, stride = given["input"], given["weight"], given.get("stride", 1)
    return (
        tuple(weight.shape[2:]) == (1, 1)
        and (stride if isinstance(stride, int) else max(stride)) > 1
        and given.get("groups", 1) == 1
        and weight.shape[1] < CHANNELS  # of a transposed convolution, those of its output
        and (_steers_channels_last(x) or _steers_channels_last(weight))
    )


def _steers_channels_last(x: Tensor) -> bool:
    """Whether torch's convolutions take a tensor [N, C, H, W] for channels_last.

    Where a dimension is 1 both layouts can be the same in memory; then the strides decide, by the
    rule of is_channels_last_strides_2d in c10/core/MemoryFormat.h.
    """
    if x.dim() != 4 or x.numel() == 0:
        return False
    least = 1
    for dimension in (1, 3, 2, 0):
        stride = x.stride(dimension)
        if stride < least or (dimension == 0 and least == x.stride(1)):
            return False
        least = stride * x.shape[dimension]
    return True
