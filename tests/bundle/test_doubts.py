import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_sweep.bundle.doubts import doubts, reading
from mnist_sweep.bundle.drawings import Drawing, read_drawing
from mnist_sweep.data.sources import read_mnist_5k

LABELS = tuple("0123456789")
SURE = [0.99, 0.01, *[0.0] * 8]


def kinds(path, probabilities=SURE):
    return [doubt.kind for doubt in doubts(read_drawing(path), probabilities, LABELS)]


def drawn(path, *strokes, size=(200, 200), paper=255, ink=0, width=14):
    image = Image.new("L", size, paper)
    for stroke in strokes:
        ImageDraw.Draw(image).line(stroke, fill=ink, width=width)
    image.save(path)
    return path


SEVEN = [(60, 40), (130, 40), (90, 160)]


def test_a_clean_digit_has_no_doubts(tmp_path):
    assert kinds(drawn(tmp_path / "a.png", SEVEN)) == []


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ({"strokes": [[(60, 0), (60, 199)]]}, ["border"]),
        ({"strokes": [[(20, 100), (180, 100)]], "width": 170}, ["large"]),
        ({"strokes": [[(60, 40), (60, 160)], [(130, 40), (130, 160)]]}, ["shapes"]),
        ({"strokes": [SEVEN], "paper": 200, "ink": 165}, ["faint"]),
    ],
    ids=["border", "large", "shapes", "faint"],
)
def test_each_doubt_has_its_picture(tmp_path, picture, expected):
    settings = dict(picture)
    path = drawn(tmp_path / "a.png", *settings.pop("strokes"), **settings)
    assert kinds(path) == expected


def test_noise_has_no_label(tmp_path):
    dots = np.random.default_rng(0).random((200, 200)) < 0.05
    Image.fromarray(np.where(dots, 0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    found = reading(read_drawing(tmp_path / "a.png"), [0.0] * 8 + [1.0, 0.0], LABELS)
    assert found.label is None
    assert found.doubts[0].kind == "noise"
    assert found.probability == 1.0


def test_a_second_label_that_is_nearly_as_likely_is_named(tmp_path):
    drawing = read_drawing(drawn(tmp_path / "a.png", SEVEN))
    probabilities = [0.0] * 10
    probabilities[7], probabilities[9] = 0.7, 0.3
    (doubt,) = doubts(drawing, probabilities, LABELS)
    assert (doubt.kind, doubt.says) == ("close", "perhaps 9")
    assert reading(drawing, probabilities, LABELS).label == "7"
    probabilities[7], probabilities[9] = 0.8, 0.2
    assert doubts(drawing, probabilities, LABELS) == []


def test_of_what_is_no_digit_only_the_probabilities_are_doubted():
    drawing = Drawing(np.full((28, 28), 255, np.uint8), "28x28, light on dark")
    assert doubts(drawing, [0.5, 0.5], ("coat", "shirt"))[0].kind == "close"
    assert doubts(drawing, [1.0], ("coat",)) == []


def test_a_fine_straight_one_is_no_noise(tmp_path):
    assert kinds(drawn(tmp_path / "a.png", [(60, 20), (60, 180)], width=4)) == []


def test_few_of_mnists_digits_are_doubted(tmp_path):
    images, found = read_mnist_5k().images.numpy()[::10], []
    for image in images:
        Image.fromarray(image).save(tmp_path / "a.png")
        found += kinds(tmp_path / "a.png")
    assert "noise" not in found
    assert len(found) <= 0.03 * len(images)
