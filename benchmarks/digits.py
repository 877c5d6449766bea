"""The data that every contender trains on: mnist_5k, in our layout and in torchvision's."""

from pathlib import Path

import torch
from torch import Tensor

from mnist_sweep.data import Images, load_dataset

MEAN, STD = 0.1307, 0.3081
FILES = {  # torchvision.datasets.MNIST reads these from <root>/MNIST/raw
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def write_for_torchvision(root: Path) -> None:
    """Write mnist_5k's training images as the training set, its validation images as the test set.

    The format is http://yann.lecun.com/exdb/mnist: big-endian magic number and sizes, then bytes.
    """
    dataset = load_dataset("mnist_5k", "")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for split, images in (("train", dataset.train), ("test", dataset.val)):
        pixels, labels = FILES[split]
        (raw / pixels).write_bytes(_idx(images.images))
        (raw / labels).write_bytes(_idx(images.labels.to(torch.uint8)))


def _idx(values: Tensor) -> bytes:
    header = (0x0800 + values.dim()).to_bytes(4, "big")
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + sizes + values.numpy().tobytes()


def validation() -> Images:
    """Return mnist_5k's validation images."""
    return load_dataset("mnist_5k", "").val
