"""What a trained network does, in numbers: its predictions, its errors, its filters, its maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_sweep.data import Images, Pipeline
from mnist_sweep.data.batches import EVALUATION_BATCH
from mnist_sweep.data.sources import CLASSES

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.SiLU)


@dataclass(frozen=True)
class Predictions:
    """`probabilities`: float32 [N, 10]; `labels`: int64 [N]; both on the CPU."""

    probabilities: Tensor
    labels: Tensor

    @property
    def predicted(self) -> Tensor:
        """The most probable label of each image, int64 [N]."""
        return self.probabilities.argmax(1)

    @property
    def accuracy(self) -> float:
        """The share of images whose most probable label is theirs."""
        return (self.predicted == self.labels).float().mean().item()

    def confusion(self) -> Tensor:
        """Return counts [10, 10]: row, the image's label; column, the predicted one."""
        pairs = self.labels * CLASSES + self.predicted
        return torch.bincount(pairs, minlength=CLASSES**2).view(CLASSES, CLASSES)

    def hardest(self, count: int) -> Tensor:
        """Return the positions of the images whose own label has the least probability."""
        own = self.probabilities.gather(1, self.labels[:, None])[:, 0]
        return own.argsort()[:count]


@torch.inference_mode()
def logits(model: nn.Module, split: Images, pipeline: Pipeline) -> Tensor:
    """Return a network's logits for a split in evaluation mode, float32 [N, 10] on the CPU."""
    was_training = model.training
    model.eval()
    found = [
        model(images).float().cpu()
        for images, _ in pipeline.evaluation_batches(
            split, EVALUATION_BATCH[split.labels.device.type]
        )
    ]
    model.train(was_training)
    return torch.cat(found)


def predict(model: nn.Module, split: Images, pipeline: Pipeline) -> Predictions:
    """Classify a split in evaluation mode."""
    return Predictions(torch.softmax(logits(model, split, pipeline), 1), split.labels.cpu())


def convolutions(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights [out, in, height, width] of every convolution, by its name, in order."""
    return {
        name: module.weight.detach().cpu()
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
    }


@torch.inference_mode()
def feature_maps(model: nn.Module, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Return what modules put out for one prepared image [1, 1, 28, 28]: [channels, H, W] each.

    Through forward hooks, in the order in which the modules run. What is no map, such as the output
    of an activation after the network has flattened its maps, is left out.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str) -> "torch.utils.hooks.RemovableHandle":
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                # A copy, since a ReLU in place would show through.
                found[name] = output[0].detach().cpu().clone()

        return model.get_submodule(name).register_forward_hook(hook)

    handles = [keep(name) for name in names]
    was_training = model.training
    model.eval()
    try:
        model(image)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return found


def mapped_modules(model: nn.Module) -> list[str]:
    """Return the modules whose maps are worth a look: the last of each unit with a convolution.

    That is its activation where the unit ends in one, else the convolution itself. A unit that uses
    another's convolution has a norm to be known by.
    """
    names: list[str] = []
    convolution, in_unit = "", False
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Flatten):
            names.append(convolution)
            in_unit = isinstance(module, nn.Conv2d)
            convolution = name if in_unit else ""
        elif isinstance(module, nn.BatchNorm2d):
            in_unit = True
        elif isinstance(module, ACTIVATIONS) and in_unit:
            names.append(name)
            convolution, in_unit = "", False
    return [name for name in (*names, convolution) if name]
