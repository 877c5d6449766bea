"""Photographs: what is made of them is compared with the digit that was drawn on them."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

from mnist_sweep.bundle.drawings import read_drawing
from mnist_sweep.bundle.photographs import find_on_photograph, is_photograph
from mnist_sweep.data.sources import read_mnist_5k
from tests.bundle.photographs import photograph, thinned


@pytest.fixture(scope="module")
def digits():
    """Every 250th MNIST image of the bundled subset, two of each digit: uint8 [20, 28, 28]."""
    return read_mnist_5k().images.numpy()[::250]


def likeness(pixels, digit):
    """How well the strokes of two images agree: 1 for the same, 0 for none in common.

    The digit's own middle line, drawn with a pen and placed as the other is; it may be turned by
    up to 8 degrees and lie a pixel aside.
    """
    line = thinned(np.kron(digit > 96, np.ones((4, 4), bool)))
    rows, columns = np.nonzero(line)
    line = line[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    pen = (ndimage.distance_transform_edt(~np.pad(line, 8)) < 5).astype(np.float32)
    best = 0.0
    for angle in (-8, -4, 0, 4, 8):
        turned = np.asarray(Image.fromarray(pen).rotate(angle, expand=True)) > 0.5
        rows, columns = np.nonzero(turned)
        cut = turned[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        scale = 20 / max(cut.shape)
        size = [max(1, round(length * scale)) for length in cut.shape]
        small = Image.fromarray(cut.astype(np.float32)).resize(size[::-1], Image.Resampling.BOX)
        one, other = np.asarray(small) > 0.5, pixels > 127
        whole = np.pad(one, [(14, 14 + 28 - n) for n in one.shape])
        both = ndimage.correlate(whole.astype(float), other.astype(float), mode="constant").max()
        best = max(best, 2 * both / (one.sum() + other.sum()))
    return best


@pytest.mark.parametrize("seed", range(3))
def test_a_digit_is_found_on_photographs_of_paper(tmp_path, digits, seed):
    draw, found = np.random.default_rng(seed), []
    for digit in digits[seed::3]:
        taken = photograph(digit, draw, longest=700)
        (tmp_path / "a.jpg").write_bytes(taken.content)
        drawing = read_drawing(tmp_path / "a.jpg")
        assert drawing.note.endswith("dark on light" if taken.dark_on_light else "light on dark")
        found.append(likeness(drawing.pixels, digit))
    assert np.mean(found) > 0.8
    assert min(found) > 0.7


def paper(side=300, light=0.85, grain=0.01):
    """Brightness of paper that is lit from the left."""
    noise = np.random.default_rng(0).normal(0, grain, (side, side))
    return light * np.linspace(1, 0.7, side)[None, :] + noise


def with_seven(brightness, dark=True):
    """A seven in the middle of a picture."""
    picture = Image.fromarray((255 * np.clip(brightness, 0, 1)).astype(np.uint8))
    marks = Image.new("L", picture.size, 0)
    ImageDraw.Draw(marks).line([(110, 100), (180, 100), (140, 200)], fill=255, width=14)
    ink = np.asarray(marks) / 255
    shade = 0.25 if dark else 0.95
    return brightness * (1 - ink) + shade * ink, ink > 0.5


@pytest.mark.parametrize("dark", [True, False])
def test_lines_of_the_paper_are_no_ink_and_break_no_stroke(dark):
    bare = paper() if dark else paper(light=0.2)
    squared = bare.copy()
    for at in range(15, 300, 40):
        squared[at : at + 2] *= 0.75 if dark else 1.6
        squared[:, at : at + 2] *= 0.75 if dark else 1.6
    brightness, ink = with_seven(squared, dark)
    assert is_photograph(brightness)
    found = find_on_photograph(brightness)
    assert found is not None
    assert found.dark_on_light == dark
    strokes = found.ink > 0.5
    assert (strokes & ~ndimage.binary_dilation(ink, iterations=3)).sum() == 0
    assert (strokes & ink).sum() > 0.9 * ink.sum()


def test_what_lies_at_the_edge_of_a_photograph_is_left_out():
    brightness, ink = with_seven(paper())
    brightness[:, :30] = 0.1  # the table
    brightness[270:, 200:260] = 0.15  # a finger
    found = find_on_photograph(brightness)
    assert found is not None
    assert (found.ink[:, :30] > 0.5).sum() == (found.ink[270:] > 0.5).sum() == 0
    assert ((found.ink > 0.5) & ink).sum() > 0.9 * ink.sum()


@pytest.mark.parametrize("grain", [0.005, 0.05])
def test_bare_paper_shows_nothing(grain):
    assert find_on_photograph(paper(grain=grain)) is None


def test_a_fine_pen_is_made_as_broad_as_mnists():
    brightness = paper()
    brightness[100:200, 150:153] = 0.2
    found = find_on_photograph(brightness)
    assert found is not None
    assert 8 <= (found.ink[150] > 0.5).sum() <= 12  # a tenth of its length


def test_what_a_program_drew_is_no_photograph():
    page = np.ones((200, 200))
    page[40:160, 90:110] = 0
    assert not is_photograph(page)
    assert not is_photograph(np.random.default_rng(0).random((28, 28)))


def test_the_photographs_are_turned_as_their_cameras_say(digits):
    draw = np.random.default_rng(3)
    for _ in range(20):
        taken = photograph(digits[0], draw, longest=250)
        with Image.open(io.BytesIO(taken.content)) as image:
            assert ImageOps.exif_transpose(image).size == taken.size
