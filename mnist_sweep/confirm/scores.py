"""How each run does on each image: listed beside it, and paired between configurations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.crossed import Crossed, Scores, crossed
from mnist_sweep.files import replacing
from mnist_sweep.text import one_line
from mnist_sweep.untrusted_files import (
    COUNTED,
    LINE,
    Check,
    check_kinds,
    is_number,
    is_whole,
    parse_json,
    text_of,
)

MOST_IMAGES = 10_000_000  # of a split, a thousand times MNIST's
ACCURACY, LOSS = "val_acc", "val_loss"  # what scores can be of

INDICES = Check(
    "a list of whole numbers",
    lambda value: isinstance(value, list) and all(map(is_whole, value)),
)
NUMBERS = Check(
    "a list of numbers", lambda value: isinstance(value, list) and all(map(is_number, value))
)
KINDS = {"images": COUNTED, "wrong": INDICES, "losses": NUMBERS, "fingerprint": LINE}


@dataclass(frozen=True)
class Listed:
    """A split's images under one network: the positions of the `wrong` ones, and all losses.

    `losses` are in nats, None where they were not recorded; `fingerprint` is of the images, None
    where it was not.
    """

    images: int
    wrong: list[int]
    losses: list[float] | None = None
    fingerprint: str | None = None

    def scores(self, by: str) -> Scores:
        """Return a score for each image [images], better ones higher.

        By LOSS, that with the other sign; by ACCURACY, 1 where the image is right, else 0.
        """
        if by == LOSS:
            return -np.asarray(self.losses, dtype=np.float64)
        right = np.ones(self.images)
        right[self.wrong] = 0.0
        return right


@dataclass(frozen=True)
class Scored:
    """One run's scores [images], better ones higher, of the images of `fingerprint`.

    Runs of one `split` share their training images, and so are no independent draws of those.
    """

    values: npt.NDArray[np.float64]
    fingerprint: str | None
    split: int


def write_listed(listed: Listed, path: Path) -> None:
    """Write a list; what is not known is left out."""
    found: dict[str, Any] = {"images": listed.images, "wrong": listed.wrong}
    if listed.losses is not None:
        found["losses"] = [float(f"{loss:.5g}") for loss in listed.losses]
    if listed.fingerprint is not None:
        found["fingerprint"] = listed.fingerprint
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(found) + "\n", encoding="utf-8")


def read_listed(path: Path) -> Listed:
    """Read a list. Raises ConfirmError for one that is damaged."""
    try:
        found = parse_json(text_of(path))
        check_kinds(found, KINDS, ("images", "wrong"))
        images, losses = found["images"], found.get("losses")
        if images > MOST_IMAGES or max(found["wrong"], default=0) >= images:
            raise ValueError(f"images and wrong contradict each other: {images} images")
        if losses is not None and len(losses) != images:
            raise ValueError(f"it has {len(losses)} losses of {images} images")
    except (OSError, ValueError) as error:
        raise ConfirmError(
            f"{path} is damaged ({one_line(error)}); delete it, and the same command writes it "
            "again"
        ) from error
    return Listed(images, found["wrong"], losses, found.get("fingerprint"))


def compare(first: Mapping[int, Scored], second: Mapping[int, Scored]) -> Crossed | None:
    """Return by how much the first is better, in pairs of the seeds that both have.

    None where that are fewer than two seeds, or two splits where there are several. Seeds of one
    split are averaged first, and splits then take the place of seeds: they are what is drawn
    independently. Where rows have images of their own, as validation images of other splits are,
    the images' share of the variance is in that of the rows, which is never taken to be less than
    that share: a few rows can happen to have the same mean.
    """
    shared = sorted(first.keys() & second.keys())
    _check_same_images(first, second, shared)
    by_split: dict[int, list[int]] = {}
    for seed in shared:
        by_split.setdefault(first[seed].split, []).append(seed)
    # Also where one is left of several, as what is said is then of splits.
    several = any(len({each.split for each in own.values()}) > 1 for own in (first, second))
    groups = list(by_split.values()) if several else [[seed] for seed in shared]
    if len(groups) < 2:
        return None
    rows = [
        np.mean([first[seed].values - second[seed].values for seed in group], axis=0)
        for group in groups
    ]
    if len({first[seed].fingerprint for seed in shared}) == 1:
        return crossed(np.stack(rows))
    means = np.array([row.mean() for row in rows])
    of_images = float(np.mean([row.var(ddof=1) / row.size for row in rows]))
    return Crossed(
        mean=float(means.mean()),
        seeds=len(means),
        images=max(row.size for row in rows),
        over_seeds=max(float(means.var(ddof=1)), of_images) / len(means),
        over_images=0.0,
        interaction=0.0,
    )


def _check_same_images(
    first: Mapping[int, Scored], second: Mapping[int, Scored], shared: list[int]
) -> None:
    for seed in shared:
        one, other = first[seed], second[seed]
        if one.values.shape != other.values.shape or one.fingerprint != other.fingerprint:
            raise ConfirmError(
                f"seed {seed} was evaluated on other images in one configuration than in another: "
                "choose another folder with to="
            )
