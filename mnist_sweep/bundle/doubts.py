"""What speaks against a reading: a picture that is hardly a digit, or a second label as likely.

The figures beside the constants were measured on the 10,000 test images of MNIST, read as pictures
with `model=enhanced` (12 augmented epochs, 99.42% of them right); docs/predict.md has the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_sweep.bundle.drawings import Drawing

HALF = 0.5  # of the picture: MNIST's digits cover 33% of theirs at most
FAINT = 0.2  # of the range from black to white: MNIST's have all of it
SHAPE = 0.3  # of the largest shape's area: 1.1% of MNIST's have a second one as large
SHAPES = 6  # as many are noise: 0.03% of MNIST's have them
CLOSE = 1 / 3  # of the best label's probability: 0.7% of MNIST's, and half of those read wrongly

NOISE = "noise"


@dataclass(frozen=True)
class Doubt:
    """`kind` is for programs: noise, shapes, large, border, faint, close; `says` is for people."""

    kind: str
    says: str


@dataclass(frozen=True)
class Reading:
    """`label` is None where a picture shows noise; `probabilities`: of each label, in order."""

    label: str | None
    probability: float
    probabilities: tuple[float, ...]
    doubts: tuple[Doubt, ...]


def reading(drawing: Drawing, probabilities: Sequence[float], labels: Sequence[str]) -> Reading:
    """Return what a network's probabilities of the labels mean for a picture."""
    best = int(np.argmax(probabilities))
    found = tuple(doubts(drawing, probabilities, labels))
    label = None if any(doubt.kind == NOISE for doubt in found) else labels[best]
    return Reading(label, probabilities[best], tuple(probabilities), found)


def doubts(drawing: Drawing, probabilities: Sequence[float], labels: Sequence[str]) -> list[Doubt]:
    """Return the doubts about a reading, the gravest first.

    Of what is no digit, only whether another label is nearly as likely.
    """
    found: list[Doubt] = []
    if drawing.ink is not None:
        areas = shapes(drawing.pixels)
        if len(areas) >= SHAPES:
            found.append(Doubt(NOISE, "noise"))
        elif len(areas) > 1 and areas[1] >= SHAPE * areas[0]:
            found.append(Doubt("shapes", "several shapes"))
        if drawing.ink.cover >= HALF:
            found.append(Doubt("large", "covers half"))
        if drawing.ink.at_border:
            found.append(Doubt("border", "touches the border"))
        if drawing.ink.contrast < FAINT:
            found.append(Doubt("faint", "low contrast"))
    second, best = np.argsort(probabilities)[-2:] if len(labels) > 1 else (0, 0)
    if second != best and probabilities[second] >= CLOSE * probabilities[best]:
        found.append(Doubt("close", f"perhaps {labels[second]}"))
    return found


def shapes(pixels: np.ndarray) -> list[int]:
    """Return the areas of the shapes of an image, uint8 [28, 28], in pixels, the largest first."""
    numbered, count = ndimage.label(pixels > 127, structure=np.ones((3, 3)))
    areas = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    return sorted(areas.tolist(), reverse=True)
