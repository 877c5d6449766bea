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
# Whether matrix products outdo 1x1 convolutions: on processors with AVX-512, and not on others
# (docs/performance.md).
PRODUCTS = torch.backends.cpu.get_cpu_capability().startswith("AVX512")


class Conv2d(nn.Conv2d):
    """A convolution that, with a 1x1 kernel, is trained as a matrix product where that is faster.

    Of a channels_last tensor the pixels are the rows of a matrix as it lies in memory. With a
    stride, the pixels that are looked at are taken first: oneDNN's kernel for it can write outside
    its memory (docs/processors.md).
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, out_channels, H', W']."""
        return self.convolve(x, self.bias)

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Do what `forward` does, with another bias or none."""
        if self.kernel_size != (1, 1) or x.dim() != 4:
            return self._whole(x, bias)
        x = self._looked_at(x)
        pixels = x.permute(0, 2, 3, 1)  # [B, H', W', in_channels]
        product = PRODUCTS and self.groups == 1 and _trains_on_cpu(self, x)
        if product and pixels.is_contiguous():
            return F.linear(pixels, self.weight.flatten(1), bias).permute(0, 3, 1, 2)
        return F.conv2d(x, self.weight, bias, groups=self.groups)

    def _whole(self, x: Tensor, bias: Tensor | None) -> Tensor:
        if bias is self.bias:
            return super().forward(x)
        assert self.padding_mode == "zeros", "see `normalized`, the only one to leave out a bias"
        return F.conv2d(x, self.weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def _looked_at(self, x: Tensor) -> Tensor:
        """Return the pixels that a 1x1 kernel is applied to, [B, in_channels, H', W']."""
        padding = (0, 0) if isinstance(self.padding, str) else self.padding  # a kernel needs none
        if any(padding):
            (height, width), mode = padding, self.padding_mode.replace("zeros", "constant")
            x = F.pad(x, (width, width, height, height), mode)
        if self.stride == (1, 1):
            return x
        # Means of 1x1 windows, which are the pixels: their backward pass is faster than a slice's.
        return F.avg_pool2d(x, 1, self.stride)


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


def normalized(conv: Conv2d, norm: BatchNorm2d, x: Tensor) -> Tensor:
    """Return norm(conv(x)); [B, in_channels, H, W] -> [B, out_channels, H', W'].

    In training, the mean that the norm subtracts has the convolution's bias in it: the bias cancels
    out, and its gradient is zero but for rounding. So it is left out, gets no gradient, and only
    the running mean, by which evaluation normalizes, takes it in. In training the convolution is
    not called as a module: its hooks are not.
    """
    momentum, mean, bias = norm.momentum, norm.running_mean, conv.bias
    leaves_out = norm.training and bias is not None and conv.padding_mode == "zeros"
    if leaves_out and mean is not None and momentum is not None and momentum != 1:
        assert bias is not None
        # (1 - m) (mean + m / (1 - m) bias) + m batch = (1 - m) mean + m (batch + bias). On `data`,
        # so that autograd sees it as little as the norm's own change: an earlier pass that has yet
        # to go back holds the tensor, but in training no backward pass uses its values.
        mean.data.add_(bias.data, alpha=momentum / (1 - momentum))
        y = conv.convolve(x, None)
    else:
        y = conv(x)
    result: Tensor = norm(y)
    return result


def _trains_on_cpu(module: nn.Module, x: Tensor) -> bool:
    return module.training and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


@contextmanager
def _one_thread(threads: int) -> Iterator[None]:
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
