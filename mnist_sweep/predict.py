"""Digits in pictures, or what else it was trained on, read by an exported bundle.

    python -m mnist_sweep.predict bundle=my_model images=a.png,drawings/ csv=read.csv

bundle  the folder that `python -m mnist_sweep.export` wrote
images  pictures of one digit each, and folders of them, separated by commas: any usual format and
        size, grey or coloured, light on dark or dark on light. A name that has a comma is found
        where it is there; quotes around a name ('a,b.png') take it as it is. Of a bundle that was
        not trained on digits, pictures are not moved to where MNIST's digits are
csv     also writes a line a picture: file, label, probability, and the probability of every label
device  auto, cpu or cuda
"""

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mnist_sweep.bundle.drawings import Drawing, read_drawing
from mnist_sweep.cli import arguments
from mnist_sweep.data import DataError
from mnist_sweep.errors import UserError
from mnist_sweep.files import FileError, where, writing
from mnist_sweep.run.exported import Bundle, read_bundle
from mnist_sweep.run.machine import choose_device, describe
from mnist_sweep.text import one_line

BATCH = 256
ESCAPED = "surrogateescape"  # names of files that are not UTF-8 are written as they are


@dataclass
class Predict:
    """The command line; see the module."""

    bundle: str
    images: str
    csv: str | None = None
    device: str = "auto"


def main(asked: Predict) -> None:
    """Print a line for each picture; exit with code 1 where one cannot be read."""
    device = choose_device(asked.device)
    bundle = read_bundle(asked.bundle, device)
    files = find_pictures(asked.images)
    name, count = bundle.description["name"], bundle.description["parameters"]
    print(f"model: {name}, {count:,} parameters, on {describe(device)}; pictures: {len(files)}")
    drawings, failures = _read(files, bundle.reads_digits)
    probabilities = predict(bundle, [drawing for _, drawing in drawings])
    if asked.csv is not None:  # first: the reader of the lines may go, as head does
        try:
            _write(Path(asked.csv), bundle.labels, [file for file, _ in drawings], probabilities)
        except FileError as error:  # and if it fails, the lines are still printed
            failures.append(error)
    for (file, drawing), row in zip(drawings, probabilities, strict=True):
        best = int(row.argmax())
        print(f"{file}: {bundle.labels[best]} ({row[best]:.1%})   {drawing.note}")
    print(end="", flush=True)  # before the errors, where both go to the same place
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


def predict(bundle: Bundle, drawings: Sequence[Drawing]) -> torch.Tensor:
    """Return the probabilities [pictures, labels] of some drawings."""
    if not drawings:
        return torch.empty(0, len(bundle.labels))
    images = torch.from_numpy(np.stack([drawing.pixels for drawing in drawings]))
    return torch.cat([bundle.probabilities(part) for part in torch.split(images, BATCH)])


def find_pictures(images: str) -> list[Path]:
    """Return the files that `images` names, those of folders in the order of their names.

    Raises DataError for a name that is neither, and for a folder without a picture.
    """
    formats = Image.registered_extensions().items()
    suffixes = {suffix for suffix, name in formats if name in Image.OPEN}
    files: list[Path] = []
    for name in arguments.paths(images):
        path = Path(name)
        try:
            if path.is_dir():
                inside = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
                if not inside:
                    raise DataError(f"images={name}: no picture in that folder")
                files += inside
            elif path.exists():
                files.append(path)
            else:
                raise DataError(f"images={name}: no such file or folder")
        except (OSError, ValueError) as error:  # a name that cannot be one is a ValueError
            said = where(error, path) if isinstance(error, OSError) else one_line(error)
            raise DataError(f"images={name} cannot be read: {said}") from error
    if not files:
        raise DataError(f"images={images} names no picture")
    return files


def _read(
    files: Sequence[Path], digits: bool
) -> tuple[list[tuple[Path, Drawing]], list[UserError]]:
    drawings: list[tuple[Path, Drawing]] = []
    failures: list[UserError] = []
    for file in files:
        try:
            drawings.append((file, read_drawing(file, digits)))
        except DataError as error:
            failures.append(error)
    return drawings, failures


def _write(
    path: Path, labels: Sequence[str], files: Sequence[Path], probabilities: torch.Tensor
) -> None:
    with writing("csv", path), path.open("w", newline="", encoding="utf-8", errors=ESCAPED) as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "probability", *(f"p_{label}" for label in labels)])
        for name, row in zip(files, probabilities.tolist(), strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            writer.writerow([name, labels[best], f"{row[best]:.6f}", *(f"{p:.6f}" for p in row)])


if __name__ == "__main__":
    arguments.run(Predict, __doc__ or "", main)
