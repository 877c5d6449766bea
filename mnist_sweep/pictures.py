"""Pictures of a trained network, as PNG files.

    python -m mnist_sweep.pictures run=multirun/STUDY/best

run    the directory of a run: outputs/..., multirun/<study>/<trial>, or multirun/<study>/best
to     where the pictures go; <run>/pictures where it is left out
image  whose feature maps are drawn: a number, of an image of the split, or a picture file
split  which images the errors are of: val, or test, which a search must not look at

confusion.png           labels against predictions
failures.png            the images whose own label the network finds least probable
filters-*.png           each convolution; of several input channels the mean
maps-*.png              what each unit makes of the image
"""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mnist_sweep.bundle.drawings import read_drawing
from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.data import Images
from mnist_sweep.data.sources import DIGITS
from mnist_sweep.files import writing
from mnist_sweep.inspection import figures, plots, predictions
from mnist_sweep.run.load import data_of, load_trained
from mnist_sweep.text import counted, percent, relative

DOTS = 150  # an inch
NUMBER = re.compile(r"-?[0-9]+")
DIGITS_READ = 18  # of a number: no split has an image of a longer one


@dataclass
class Pictures:
    """The command line; see the module."""

    run: str
    to: str | None = None
    image: str = "0"
    split: str = "val"


def main(asked: Pictures) -> None:
    """Draw everything and say where it is."""
    if asked.split not in ("val", "test"):
        raise ArgumentError(f"split={asked.split}: it must be val or test")
    trained = load_trained(asked.run, torch.device("cpu"))
    dataset = data_of(trained)
    split: Images = getattr(dataset, asked.split)
    pixels = choose_image(asked.image, split, dataset.name in DIGITS)
    folder = Path(asked.to) if asked.to else trained.path / "pictures"
    with writing("to", folder):  # before the network is asked, which takes a while
        folder.mkdir(parents=True, exist_ok=True)
    name = f"{trained.name}, {dataset.name} {asked.split}"
    predicted = predictions.predict(trained.model, split, trained.pipeline)
    drawn = {
        "confusion": figures.confusion(predicted, name),
        "failures": figures.failures(predicted, split, name),
        **figures.network(trained.model, trained.pipeline, pixels),
    }
    with writing("to", folder):
        for file, figure in drawn.items():
            plots.save(figure, folder / f"{file}.png", DOTS)
    wrong = int((predicted.predicted != predicted.labels).sum())
    right = percent(predicted.accuracy, len(split))
    print(f"{name}: {wrong:,} of {counted(len(split), 'image')} wrong ({right} right)")
    print(f"{len(drawn)} pictures in {relative(folder)}")


def choose_image(image: str, split: Images, digits: bool = True) -> Tensor:
    """Return an image uint8 [28, 28]: that number of a split, or a picture file.

    Raises ArgumentError for a number that the split does not have, and DataError.
    """
    if not NUMBER.fullmatch(image):
        return torch.from_numpy(read_drawing(Path(image), digits).pixels)
    number = int(image[:DIGITS_READ])
    if not 0 <= number < len(split):
        raise ArgumentError(f"image={image}: the split has images 0 to {len(split) - 1:,}")
    return split[torch.tensor([number])].images[0]


if __name__ == "__main__":
    arguments.run(Pictures, __doc__ or "", main, wait="drawing the pictures")
