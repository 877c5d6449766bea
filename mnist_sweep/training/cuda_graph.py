"""A forward and a backward pass as one CUDA graph, instead of hundreds of kernels one by one.

A network of this size leaves a GPU waiting for the next launch most of the time. What is captured
leaves the gradients in the parameters; the optimizer, whose settings a schedule changes, steps
outside. See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line
from mnist_sweep.training.equivalence import alike, tensors

# A batch, (images [B, 1, 28, 28], labels [B]) and perhaps a teacher's logits [B, 10] -> its summed
# loss and its hits; gradients are left.
Pass: TypeAlias = Callable[..., tuple[Tensor, Tensor]]
# Takes work and returns what does it again, to the same memory, and the tensors it leaves there.
Recorder: TypeAlias = Callable[
    [Callable[[], tuple[Tensor, Tensor]]], tuple[Callable[[], None], tuple[Tensor, Tensor]]
]

# A worker's recordings, for its next trials. Each keeps its memory, so that there are few.
KEPT: "deque[Recording]" = deque(maxlen=4)

# Passes before the capture: libraries choose their kernels and allocate in the first ones.
WARM_UP = 3


# The package of the networks that do the same in every pass.
SHIPPED = "mnist_sweep.models."


class CaptureError(UserError):
    """A pass does what no graph can hold, such as asking the GPU for a value."""


class Recording:
    """A pass as it was recorded: it reads and writes the memory of one network's tensors.

    That memory belongs to one network at a time (`owner`), and can be handed on.
    """

    def __init__(
        self, owner: nn.Module, batch_size: int, mode: str, batch: tuple[Tensor, ...]
    ) -> None:
        self.owner, self.batch_size, self.mode, self.batch = owner, batch_size, mode, batch
        self.memory = [tensor.data for tensor in tensors(owner).values()]
        self.replay: Callable[[], None]
        self.outputs: tuple[Tensor, Tensor]
        self.gradients: list[Tensor | None] = []

    def record(self, work: Pass, recorder: Recorder) -> None:
        """Record work on the owner. Raises CaptureError where that fails."""
        for parameter in self.owner.parameters():
            parameter.grad = None  # so that the graph brings its own, and does not add to these
        try:
            self.replay, self.outputs = recorder(lambda: work(*self.batch))
        except RuntimeError as error:
            raise CaptureError(
                f"this network's passes cannot be captured as a CUDA graph "
                f"({one_line(error)[:200]}); set cuda_graph=false"
            ) from error
        self.gradients = [parameter.grad for parameter in self.owner.parameters()]

    def fits(self, model: nn.Module, batch_size: int, mode: str) -> bool:
        """Whether the pass of another network is the same, but for its weights."""
        return (self.batch_size, self.mode) == (batch_size, mode) and alike(self.owner, model)

    @torch.no_grad()
    def hand_to(self, model: nn.Module) -> None:
        """Give the memory to another network's tensors; the owner's move out with their values."""
        for tensor in tensors(self.owner).values():
            tensor.data = tensor.data.clone()
            tensor.grad = None
        for memory, tensor in zip(self.memory, tensors(model).values(), strict=True):
            memory.copy_(tensor)
            tensor.data = memory
        self.owner = model

    def __call__(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Pass over a batch; what is returned is overwritten by the next."""
        for memory, given in zip(self.batch, batch, strict=True):
            memory.copy_(given)
        self.replay()
        for parameter, gradient in zip(self.owner.parameters(), self.gradients, strict=True):
            parameter.grad = gradient  # where a batch of another size has left its own
        return self.outputs


class Captured:
    """A pass over batches of one size, recorded after a few of them and replayed from then on.

    A network that is like one before it, in a trial before this one, takes that one's recording
    from `kept`. `mode`: what else a pass depends on, such as its precision. A batch of another
    size, such as an epoch's last one, is passed over as it is. Raises CaptureError where recording
    fails.
    """

    def __init__(
        self,
        work: Pass,
        model: nn.Module,
        batch_size: int,
        mode: str,
        recorder: Recorder | None = None,
        kept: "deque[Recording] | None" = None,
    ) -> None:
        self.work, self.model, self.batch_size, self.mode = work, model, batch_size, mode
        self.recorder = recorder or cuda_graph
        self.kept = KEPT if kept is None else kept
        self.passes = 0
        self.recording: Recording | None = None

    def __call__(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Pass over a batch; what is returned is overwritten by the next."""
        if len(batch[1]) != self.batch_size:
            return self.work(*batch)
        if self.recording is None or self.recording.owner is not self.model:
            self.recording = self._of_another()
        if self.recording is None:
            self.passes += 1
            if self.passes <= WARM_UP:
                return self._warm_up(batch)
            self.recording = self._record(batch)
        return self.recording(*batch)

    def _of_another(self) -> Recording | None:
        for recording in self.kept:
            if recording.fits(self.model, self.batch_size, self.mode):
                recording.hand_to(self.model)
                return recording
        return None

    def _warm_up(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Pass on a stream beside the default one, as a capture will."""
        if batch[0].device.type != "cuda":
            return self.work(*batch)
        current = torch.cuda.current_stream()
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(current)
        with torch.cuda.stream(beside):
            outputs = self.work(*batch)
        current.wait_stream(beside)
        return outputs

    def _record(self, batch: tuple[Tensor, ...]) -> Recording:
        memory = tuple(tensor.clone() for tensor in batch)
        recording = Recording(self.model, self.batch_size, self.mode, memory)
        recording.record(self.work, self.recorder)
        self.kept.append(recording)
        return recording


def repeats(model: nn.Module) -> bool:
    """Whether a network is known to do the same in every pass: the shipped ones are.

    A graph repeats what Python code decided in the pass that was recorded, and nothing notices.
    """
    return type(model).__module__.startswith(SHIPPED)


def cuda_graph(
    work: Callable[[], tuple[Tensor, Tensor]],
) -> tuple[Callable[[], None], tuple[Tensor, Tensor]]:
    """Record work on the GPU without doing it; see `Recorder`."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = work()
    return graph.replay, outputs
