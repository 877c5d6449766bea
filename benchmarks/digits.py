"""The data that every contender trains on: mnist_5k, in our layout and in torchvision's."""

from pathlib import Path

import torch
from torch import Tensor

from mnist_sweep.data import load_dataset
from mnist_sweep.data.sources import FILES, raw_folder

MEAN, STD = 0.1307, 0.3081


def write_for_torchvision(root: Path) -> None:
    """Write mnist_5k: its training images, and its validation images as the test set."""
    dataset = load_dataset("mnist_5k", "")
    for split, images in (("train", dataset.train), ("test", dataset.val)):
        write_idx(raw_folder(root, "MNIST"), split, images.images, images.labels)


def write_idx(raw: Path, split: str, images: Tensor, labels: Tensor) -> None:
    """Write uint8 images [N, 28, 28] and labels [N] of a split into torchvision's folder.

    The format is http://yann.lecun.com/exdb/mnist: big-endian magic number and sizes, then bytes.
    """
    raw.mkdir(parents=True, exist_ok=True)
    names = FILES[split]
    (raw / names[0]).write_bytes(_idx(images))
    (raw / names[1]).write_bytes(_idx(labels.to(torch.uint8)))


def _idx(values: Tensor) -> bytes:
    header = (0x0800 + values.dim()).to_bytes(4, "big")
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + sizes + values.numpy().tobytes()
