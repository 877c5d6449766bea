"""A teacher: a trained network whose outputs another one learns from (arXiv:1503.02531)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from mnist_sweep.data import Images, Pipeline
from mnist_sweep.data.batches import EVALUATION_BATCH


@dataclass
class Teacher:
    """A network in evaluation mode, on the device of the images, and its own pipeline."""

    model: nn.Module
    pipeline: Pipeline
    outputs: Tensor | None = field(default=None, repr=False)

    def batches(
        self, split: Images, pipeline: Pipeline, batch_size: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield a pipeline's training batches with the teacher's logits for each image, [B, 10].

        Without augmentation each image's are computed once, and kept for the epochs to come.
        """
        if pipeline.augmentation.active:
            for images, labels in pipeline.training_batches(split, batch_size, generator):
                yield images, labels, self.logits(self._as_it_sees(images, pipeline))
            return
        outputs = self._of_split(split)
        positions = torch.arange(len(split), device=split.labels.device)
        numbered = replace(split, labels=positions)
        for images, index in pipeline.training_batches(numbered, batch_size, generator):
            yield images, split.labels[index], outputs[index]

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Images [B, 1, 28, 28], as the teacher's pipeline prepares them -> logits [B, 10]."""
        return torch.as_tensor(self.model(images)).float()

    def _as_it_sees(self, images: Tensor, pipeline: Pipeline) -> Tensor:
        """Prepare augmented images, normalized for the student, as the teacher's own."""
        own = self.pipeline
        if (own.mean, own.std) == (pipeline.mean, pipeline.std):
            return images
        return images.mul(pipeline.std).add_(pipeline.mean - own.mean).div_(own.std)

    def _of_split(self, split: Images) -> Tensor:
        if self.outputs is None:
            size = EVALUATION_BATCH[split.labels.device.type]
            batches = self.pipeline.evaluation_batches(split, size)
            self.outputs = torch.cat([self.logits(images) for images, _ in batches])
        return self.outputs
