"""A forward and a backward pass as one CUDA graph, instead of hundreds of kernels one by one.

A network of this size leaves a GPU waiting for the next launch most of the time. What is captured
leaves the gradients in the parameters; the optimizer, whose settings a schedule changes, steps
outside. See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line

# (images [B, 1, 28, 28], labels [B]) -> the batch's summed loss and its hits; gradients are left.
Pass: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# Takes work and returns what does it again, to the same memory, and the tensors it leaves there.
Recorder: TypeAlias = Callable[
    [Callable[[], tuple[Tensor, Tensor]]], tuple[Callable[[], None], tuple[Tensor, Tensor]]
]

# Passes before the capture: libraries choose their kernels and allocate in the first ones.
WARM_UP = 3


class CaptureError(UserError):
    """A pass does what no graph can hold, such as asking the GPU for a value."""


class Captured:
    """A pass over batches of one size, recorded after a few of them and replayed from then on.

    A batch of another size, such as an epoch's last one, is passed over as it is. Raises
    CaptureError where recording fails.
    """

    def __init__(
        self,
        work: Pass,
        parameters: Sequence[nn.Parameter],
        batch_size: int,
        record: "Recorder | None" = None,
    ) -> None:
        self.work, self.parameters, self.batch_size = work, parameters, batch_size
        self.record = record or cuda_graph
        self.passes = 0
        self.replay: Callable[[], None] | None = None

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Pass over a batch; what is returned is overwritten by the next."""
        if len(labels) != self.batch_size:
            return self.work(images, labels)
        if self.replay is None:
            self.passes += 1
            if self.passes <= WARM_UP:
                return self._warm_up(images, labels)
            self._capture(images, labels)
        assert self.replay is not None
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient  # where a batch of another size has left its own
        return self.outputs

    def _warm_up(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Pass on a stream beside the default one, as a capture will."""
        if images.device.type != "cuda":
            return self.work(images, labels)
        current = torch.cuda.current_stream()
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(current)
        with torch.cuda.stream(beside):
            outputs = self.work(images, labels)
        current.wait_stream(beside)
        return outputs

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images.clone(), labels.clone()
        for parameter in self.parameters:
            parameter.grad = None  # so that the graph brings its own, and does not add to these
        try:
            self.replay, self.outputs = self.record(lambda: self.work(self.images, self.labels))
        except RuntimeError as error:
            raise CaptureError(
                f"cuda_graph=true, but this network's passes cannot be captured "
                f"({one_line(error)[:200]}); leave it out"
            ) from error
        self.gradients = [parameter.grad for parameter in self.parameters]


def cuda_graph(
    work: Callable[[], tuple[Tensor, Tensor]],
) -> tuple[Callable[[], None], tuple[Tensor, Tensor]]:
    """Record work on the GPU without doing it; see `Recorder`."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = work()
    return graph.replay, outputs
