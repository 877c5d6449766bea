"""Digits in pictures, or what else it was trained on, read by an exported bundle.

    python -m mnist_sweep.predict bundle=my_model images=a.png,drawings/ show=true

bundle  the folder that `python -m mnist_sweep.export` wrote
images  pictures of one digit each, and folders of them, separated by commas: any usual format and
        size, grey or coloured, light on dark or dark on light, drawn or photographed. A name that
        has a comma is found where it is there; quotes around a name ('a,b.png') take it as it is.
        Of a bundle that was not trained on digits, pictures are not moved to where MNIST's are
show    true: also draws each picture beside the 28x28 pixels that the network saw
to      where show=true draws that: a PNG file, outputs/predictions.png where it is left out;
        beyond 48 pictures also predictions-2.png, and so on
csv     also writes a line a picture: file, label, probability, the probability of every label, and
        doubts
json    true: prints all of it as JSON instead
device  auto, cpu or cuda

Beside a reading stand doubts: noise (which has no label), several shapes, covers half, touches the
border, low contrast, or the label that it perhaps is instead: docs/predict.md.
"""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mnist_sweep.bundle.doubts import Reading, reading
from mnist_sweep.bundle.drawings import Drawing, read_drawing
from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.cli.encoding import error_line
from mnist_sweep.cli.terminal import columns
from mnist_sweep.data import DataError
from mnist_sweep.errors import UserError
from mnist_sweep.files import FileError, reason_and_place, replacing, writing
from mnist_sweep.run.exported import Bundle, read_bundle
from mnist_sweep.run.machine import choose_device, describe
from mnist_sweep.text import ending, one_line, printable, relative

BATCH = 256
ESCAPED = "surrogateescape"  # names of files that are not UTF-8 are written as they are


SHEET = Path("outputs/predictions.png")
SHORTEST = 12  # letters of a file's name, however narrow a terminal is


@dataclass
class Predict:
    """The command line; see the module."""

    bundle: str
    images: str
    csv: str | None = None
    device: str = "auto"
    show: bool = False
    to: str | None = None
    json: bool = False


@dataclass(frozen=True)
class Read:
    """A picture, what was made of it, and what the network says."""

    file: Path
    drawing: Drawing
    reading: Reading


def main(asked: Predict) -> None:
    """Print a line for each picture; exit with code 1 where one cannot be read."""
    if asked.to is not None and not asked.show:
        raise ArgumentError(f"to={asked.to} has no effect without show=true; add that")
    if asked.to is not None and Path(asked.to).suffix.lower() != ".png":
        raise ArgumentError(f"to={asked.to} must name a PNG file, as in to=read.png")
    device = choose_device(asked.device)
    bundle = read_bundle(asked.bundle, device)
    files = find_pictures(asked.images)
    if not asked.json:
        _say_model(bundle, device, len(files))
    drawings, failures = _read(files, bundle.reads_digits)
    probabilities = predict(bundle, [drawing for _, drawing in drawings]).tolist()
    found = [
        Read(file, drawing, reading(drawing, row, bundle.labels))
        for (file, drawing), row in zip(drawings, probabilities, strict=True)
    ]
    drawn: list[Path] = []
    # First: the reader of the lines may go, as head does. If one fails, the rest is still done.
    with _noting(failures):
        if asked.csv is not None:
            _write(Path(asked.csv), bundle.labels, found)
    with _noting(failures):
        if asked.show and found:
            drawn = _draw(Path(asked.to) if asked.to else SHEET, found)
    if asked.json:
        print(json.dumps(as_data(bundle, found, drawn, failures), indent=2))
    else:
        width = columns(sys.stdout)
        for each in found:
            print(line(each, width))
        if drawn:
            print(f"what the network saw: {printable(', '.join(map(relative, drawn)))}")
    print(end="", flush=True)  # before the errors, where both go to the same place
    for failure in failures:
        print(error_line(failure), file=sys.stderr)
    if failures:
        sys.exit(1)


@contextmanager
def _noting(failures: list[UserError]) -> Iterator[None]:
    """Note, as a context, that a file cannot be written."""
    try:
        yield
    except FileError as error:
        failures.append(error)


def _say_model(bundle: Bundle, device: torch.device, pictures: int) -> None:
    name, count = bundle.description["name"], bundle.description["parameters"]
    print(f"model: {name}, {count:,} parameters, on {describe(device)}; pictures: {pictures}")
    if bundle.uncalibrated:
        print(f"probabilities are not calibrated: {bundle.uncalibrated}")


def line(read: Read, width: int | None = None) -> str:
    """Return what is printed of a picture, within a terminal's width where that is given."""
    found = read.reading
    answer = "no digit" if found.label is None else f"{found.label} ({found.probability:.1%})"
    doubts = ", ".join(doubt.says for doubt in found.doubts)
    said = f": {answer}" + (f"   doubtful: {doubts}" if doubts else "")
    file = printable(str(read.file))
    full = f"{file}{said}   {read.drawing.note}"
    if width is None or len(full) <= width:
        return full
    short = ending(file, max(width - len(said), SHORTEST)) + said
    return short if len(short) <= width else f"{short[: width - 3]}..."


def as_data(
    bundle: Bundle,
    found: Sequence[Read],
    drawn: Sequence[Path] = (),
    failures: Sequence[UserError] = (),
) -> dict[str, Any]:
    """Return what json=true prints; docs/predict.md describes it."""
    return {
        "model": bundle.description["name"],
        "parameters": bundle.description["parameters"],
        "temperature": bundle.temperature,
        "calibrated": bundle.uncalibrated is None,
        "pictures": [
            {
                "file": _text(each.file),
                "label": each.reading.label,
                "probability": each.reading.probability,
                "doubts": [asdict(doubt) for doubt in each.reading.doubts],
                "note": each.drawing.note,
                "probabilities": dict(zip(bundle.labels, each.reading.probabilities, strict=True)),
            }
            for each in found
        ],
        "shown": [_text(path) for path in drawn],
        "errors": [_text(error) for error in failures],
    }


def _text(said: object) -> str:
    """Return a text that JSON can hold: a file's name may be no UTF-8."""
    return str(said).encode("utf-8", "backslashreplace").decode()


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
            said = reason_and_place(error, path) if isinstance(error, OSError) else one_line(error)
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


def _write(path: Path, labels: Sequence[str], found: Sequence[Read]) -> None:
    with (
        writing("csv", path),
        replacing(path) as new,
        new.open("w", newline="", encoding="utf-8", errors=ESCAPED) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(
            ["file", "label", "probability", *(f"p_{label}" for label in labels), "doubts"]
        )
        for each in found:
            said = each.reading
            row = [f"{p:.6f}" for p in (said.probability, *said.probabilities)]
            doubts = ", ".join(doubt.says for doubt in said.doubts)
            writer.writerow([each.file, said.label or "", *row, doubts])


def _draw(path: Path, found: Sequence[Read]) -> list[Path]:
    """Write the sheets; return where they are."""
    # matplotlib comes with these
    from mnist_sweep.bundle.sheet import DOTS, sheets
    from mnist_sweep.inspection.plots import save

    drawn: list[Path] = []
    with writing("to", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for number, figure in enumerate(
            sheets([(each.file, each.drawing, each.reading) for each in found]), 1
        ):
            name = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
            save(figure, name, DOTS)
            drawn.append(name)
    return drawn


if __name__ == "__main__":
    arguments.run(Predict, __doc__ or "", main, wait="reading the pictures")
