"""torch's layers where the CPU trains them faster another way; elsewhere they are torch's own.

Parameters, names and results are those of the classes they derive from, so that checkpoints are
interchangeable. docs/performance.md has the figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

CACHE_LINE = 16  # float32 values


class Conv2d(nn.Conv2d):
    """A convolution that, with a 1x1 kernel, is trained as the matrix product that it is.

    Of a channels_last tensor the pixels are the rows of a matrix as it lies in memory, and the
    backward pass of a product is faster than that of a convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, out_channels, H', W']."""
        pixels = x.permute(0, 2, 3, 1)  # [B, H, W, in_channels]
        if not (self._is_pointwise and _trains_on_cpu(self, x) and pixels.is_contiguous()):
            return super().forward(x)
        return F.linear(pixels, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)

    @property
    def _is_pointwise(self) -> bool:
        return (
            self.kernel_size == (1, 1)
            and self.stride == (1, 1)
            and self.padding == (0, 0)
            and self.groups == 1
        )


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalization that keeps to one thread where several would hinder each other.

    torch's threads add up the statistics of channels_last tensors each in its row of a matrix
    [threads, channels]. Unless the rows fill cache lines, two threads write to one line all the
    time, and two are up to five times slower than one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, num_features, H, W] -> the same shape."""
        shares_lines = self.num_features % CACHE_LINE != 0
        if not (shares_lines and _trains_on_cpu(self, x) and torch.get_num_threads() > 1):
            return super().forward(x)
        threads = torch.get_num_threads()
        with _one_thread(threads):
            y = super().forward(x)
        if y.grad_fn is not None:
            y.grad_fn.register_prehook(lambda gradients: torch.set_num_threads(1))
            y.grad_fn.register_hook(lambda *gradients: torch.set_num_threads(threads))
        return y


def _trains_on_cpu(module: nn.Module, x: Tensor) -> bool:
    return module.training and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


@contextmanager
def _one_thread(threads: int) -> Iterator[None]:
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
