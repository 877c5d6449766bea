"""From a split in memory to batches a network takes: no per-sample transforms, no processes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from mnist_sweep.data.sources import Images

# Points on each side of the lattice that elastic changes move: one in seven pixels of 28.
LATTICE = 5
# Prepared together on a GPU, which one batch leaves idle; a CPU has one in its cache.
BATCHES_AT_ONCE = 64
# On a CPU larger batches leave the cache: 250 images a pass are twice as fast as 2,000 on 2 cores.
# On a GPU small ones leave it idle; these take some 100 MB a layer.
EVALUATION_BATCH = {"cpu": 250, "cuda": 2_500}


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images, drawn uniformly and independently for each image.

    `rotation`: degrees, up to this far either way; `shift`: pixels, in both axes; `scale`: a
    fraction, so that 0.1 scales by 0.9 to 1.1; `shear`: degrees by which upright lines lean;
    `elastic`: pixels by which each point of a lattice over the image moves on its own, in both
    axes, with what lies between following smoothly (the deformations of Simard, Steinkraus and
    Platt, ICDAR 2003, whose fields are noise that a Gaussian has smoothed).
    Raises ValueError for negative values, scale >= 1 or shear >= 90.
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rotation", "shift", "scale", "shear", "elastic"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be finite and cannot be negative, but got {getattr(self, name)}"
                )
        if self.scale >= 1:
            raise ValueError(f"scale must be below 1, but got {self.scale}")
        if self.shear >= 90:
            raise ValueError(f"shear must be below 90 degrees, but got {self.shear}")

    @property
    def active(self) -> bool:
        """Whether any change is asked for."""
        return bool(self.rotation or self.shift or self.scale or self.shear or self.elastic)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw the changes of so many images, in [-1, 1): [4, count], with shear a fifth row.

        With elastic changes 50 more, in the end, of the lattice's points.
        """
        # Those only where they are used: runs without them draw what they always drew.
        rows = 4 + bool(self.shear) + (2 * LATTICE**2 if self.elastic else 0)
        return torch.rand((rows, count), generator=generator) * 2 - 1

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Images [B, 1, H, W], draws of that many -> changed images, black where nothing was."""
        size = images.shape[-1]
        angle = draws[0] * math.radians(self.rotation)
        zoom = 1 / (1 + draws[1] * self.scale)
        shift = draws[2:4] * (2 * self.shift / size)  # affine_grid spans the image from -1 to 1
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        x, y = -sin, cos  # where an upright line points
        if self.shear:
            lean = torch.tan(draws[4] * math.radians(self.shear))
            x, y = x + lean * cos, y + lean * sin
        rows = [torch.stack([cos, x, shift[0]], 1), torch.stack([sin, y, shift[1]], 1)]
        grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
        if self.elastic:
            moves = draws[-2 * LATTICE**2 :].T.reshape(-1, 2, LATTICE, LATTICE)
            field = F.interpolate(
                moves, list(images.shape[-2:]), mode="bicubic", align_corners=True
            )
            grid = grid + field.permute(0, 2, 3, 1) * (2 * self.elastic / size)
        return F.grid_sample(images, grid, align_corners=False)


@dataclass(frozen=True)
class Pipeline:
    """What happens to pixels between memory and network: scale to [0, 1], augment, normalize.

    `augmented_epochs`: how many of a run's epochs are augmented, from the first; None: all.
    """

    mean: float = 0.1307
    std: float = 0.3081
    augmentation: Augmentation = Augmentation()
    augmented_epochs: int | None = None

    def in_epoch(self, epoch: int) -> "Pipeline":
        """Return what happens in an epoch, counted from 1."""
        if self.augmented_epochs is None or epoch <= self.augmented_epochs:
            return self
        return replace(self, augmentation=Augmentation())

    def draw(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Draw the changes of so many training images; None where nothing is to be changed."""
        return self.augmentation.draw(count, generator) if self.augmentation.active else None

    def prepare(self, images: Tensor, draws: Tensor | None = None) -> Tensor:
        """uint8 [B, 28, 28] -> float32 [B, 1, 28, 28]; augments only when given draws."""
        prepared = images.unsqueeze(1).float().div_(255)
        if draws is not None:
            prepared = self.augmentation(prepared, draws)
        # Of one channel, they are contiguous and channels_last alike: the model's layout decides.
        return prepared.sub_(self.mean).div_(self.std)

    def training_batches(
        self, split: Images, batch_size: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images [B, 1, 28, 28], labels [B]) once over the split in a fresh random order.

        The generator, on the CPU, decides the order and the augmentation. The last batch may be
        short.
        """
        device = split.labels.device
        # All of them at once: a copy to a GPU within the epoch would have it wait.
        order = torch.randperm(len(split), generator=generator).to(device)
        drawn = self.draw(len(split), generator)
        draws = None if drawn is None else drawn.to(device)
        chunk = batch_size * (BATCHES_AT_ONCE if device.type == "cuda" else 1)
        for start in range(0, len(order), chunk):
            now = slice(start, start + chunk)
            batch = split[order[now]]
            images = self.prepare(batch.images, None if draws is None else draws[:, now])
            yield from zip(
                torch.split(images, batch_size), torch.split(batch.labels, batch_size), strict=True
            )

    def evaluation_batches(self, split: Images, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images [B, 1, 28, 28], labels [B]) in order, without augmentation."""
        for index in torch.split(torch.arange(len(split), device=split.labels.device), batch_size):
            batch = split[index]
            yield self.prepare(batch.images), batch.labels
