import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_sweep.data import DataError
from mnist_sweep.data.drawings import read_drawing


def drawn(path, mode="L", size=(200, 200), paper=255, ink=0, at=(20, 15), width=9, **settings):
    """A seven, drawn small in a corner; saved in the format that the path names."""
    image = Image.new(mode, size, paper)
    x, y = at
    corners = [(x, y), (x + 60, y), (x + 20, y + 80)]
    ImageDraw.Draw(image).line(corners, fill=ink, width=width, joint="curve")
    image.save(path, **settings)
    return path


def centre(pixels):
    weights = pixels / pixels.sum()
    return tuple(float((weights.sum(1 - axis) * np.arange(28)).sum()) for axis in (0, 1))


def box(pixels):
    rows, columns = np.nonzero(pixels > 40)
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def test_a_drawing_becomes_light_on_dark_in_mnists_box_and_place(tmp_path):
    drawing = read_drawing(drawn(tmp_path / "a.png"))
    assert (drawing.pixels.shape, drawing.pixels.dtype) == ((28, 28), np.uint8)
    assert drawing.note == "200x200, dark on light"
    assert drawing.pixels.max() == 255
    assert drawing.pixels[0].max() == drawing.pixels[:, 0].max() == 0
    assert max(box(drawing.pixels)) == 20
    assert centre(drawing.pixels) == pytest.approx((14, 14), abs=0.51)  # as MNIST's: counted


@pytest.mark.parametrize(
    "settings",
    [
        {"at": (110, 100)},
        {"paper": 0, "ink": 255},
        {"paper": 60, "ink": 200},
        {"mode": "RGB", "paper": (250, 240, 200), "ink": (30, 30, 160)},
        {"mode": "RGBA", "paper": (0, 0, 0, 0), "ink": (0, 0, 0, 255)},
        {"mode": "RGBA", "paper": (255, 255, 255, 0), "ink": (255, 255, 255, 255)},
        {"mode": "LA", "paper": (0, 0), "ink": (40, 255)},
        {"mode": "1", "paper": 1, "ink": 0},
        {"mode": "I;16", "paper": 65535, "ink": 0},
    ],
    ids=str,
)
def test_colour_place_and_transparency_make_no_difference(tmp_path, settings):
    expected = read_drawing(drawn(tmp_path / "plain.png")).pixels.astype(int)
    found = read_drawing(drawn(tmp_path / "other.png", **settings)).pixels.astype(int)
    assert abs(found - expected).mean() < 4
    light = settings.get("paper") in (0, 60, (255, 255, 255, 0))
    note = read_drawing(tmp_path / "other.png").note
    assert note == f"200x200, {'light on dark' if light else 'dark on light'}"


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jpg", "tif", "webp"])
def test_any_usual_format_is_read(tmp_path, suffix):
    expected = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    found = read_drawing(drawn(tmp_path / f"a.{suffix}")).pixels.astype(int)
    assert abs(found - expected).mean() < 4


def test_a_larger_drawing_is_the_same_digit(tmp_path):
    small = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    drawn(tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        image.resize((1000, 1000)).save(tmp_path / "b.png")
    assert abs(read_drawing(tmp_path / "b.png").pixels - small).mean() < 4


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (255, 0)])
def test_a_picture_of_mnists_own_size_keeps_its_pixels_in_place(tmp_path, paper, ink):
    pixels = np.full((28, 28), paper, np.uint8)
    pixels[3:20, 4:6] = ink
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_drawing(tmp_path / "a.png").pixels
    assert np.array_equal(found, pixels if paper == 0 else 255 - pixels)


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    with Image.open(drawn(tmp_path / "a.png")) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # "rotate by 90 degrees clockwise to see it upright"
        turned.save(tmp_path / "turned.jpg", exif=exif)
    upright = read_drawing(tmp_path / "a.png").pixels.astype(int)
    assert abs(read_drawing(tmp_path / "turned.jpg").pixels - upright).mean() < 4


def test_what_shows_nothing_or_is_no_picture_is_refused_by_its_name(tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match=r"blank.png shows nothing"):
        read_drawing(tmp_path / "blank.png")
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    with pytest.raises(DataError, match=r"clear.png shows nothing"):
        read_drawing(tmp_path / "clear.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"text.png cannot be read as a picture"):
        read_drawing(tmp_path / "text.png")
    whole = drawn(tmp_path / "a.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"half.png cannot be read as a picture"):
        read_drawing(tmp_path / "half.png")
