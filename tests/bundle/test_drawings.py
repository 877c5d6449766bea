import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from mnist_sweep.bundle.drawings import read_drawing
from mnist_sweep.data import DataError
from mnist_sweep.data.sources import read_mnist_5k


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


@pytest.fixture(scope="module")
def digits():
    """Every 100th MNIST image of the bundled subset: uint8 [50, 28, 28]."""
    return read_mnist_5k().images.numpy()[::100]


def rendered(digit, paper=255, contrast=1.0, dark=True, side=28):
    """Brightness in [0, 1] of a digit on paper; where it is light, all of it is turned round."""
    picture = Image.fromarray(digit.astype(np.float32) / 255)
    ink = np.clip(np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC)), 0, 1)
    bright = paper / 255 * (1 - contrast * ink)
    return bright if dark else 1 - bright


def read(path, brightness):
    """What is made of brightness, [0, 1] of [H, W], or of that with an alpha of [H, W]."""
    Image.fromarray(np.clip(np.rint(brightness * 255), 0, 255).astype(np.uint8)).save(path)
    return read_drawing(path)


def unlike(tmp_path, digits, render, side=28):
    """The mean difference, of 255, between what is made of pictures and of plain ones."""
    draw, found = np.random.default_rng(0), []
    for digit in digits:
        plain = read(tmp_path / "a.png", rendered(digit, side=side)).pixels.astype(int)
        other = read(tmp_path / "a.png", render(digit, draw)).pixels
        found.append(abs(other - plain).mean())
    return float(np.mean(found))


@pytest.mark.parametrize("dark", [True, False])
def test_an_image_of_mnist_keeps_every_pixel(tmp_path, digits, dark):
    for digit in digits:
        pixels = 255 - digit if dark else digit
        Image.fromarray(pixels).save(tmp_path / "a.png")
        drawing = read_drawing(tmp_path / "a.png")
        assert np.array_equal(drawing.pixels, digit)
        assert drawing.note == f"28x28, {'dark on light' if dark else 'light on dark'}"


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("contrast", [0.8, 0.4])
@pytest.mark.parametrize("paper", [255, 220, 180, 128])
def test_the_paper_is_taken_off_a_picture_of_mnists_own_size(
    tmp_path, digits, paper, contrast, dark
):
    assert (
        unlike(tmp_path, digits[::10], lambda digit, _: rendered(digit, paper, contrast, dark)) < 2
    )


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("side", [40, 200, 1100])
def test_a_picture_of_another_size_becomes_the_image_that_it_shows(tmp_path, digits, side, dark):
    def other(digit, draw):
        return rendered(digit, 220, 0.8, dark, side)

    assert unlike(tmp_path, digits[::12], other, side) < 2
    assert unlike(tmp_path, digits[::12], other) < 15  # resampled twice


def shifted(digit, draw, side=28):
    """A digit without its margin, anywhere on white paper."""
    rows, columns = np.nonzero(digit)
    cut = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    page = np.ones((side, side))
    y, x = (int(draw.choice([0, side - length])) for length in cut.shape)
    page[y : y + cut.shape[0], x : x + cut.shape[1]] = 1 - cut / 255
    return page


def test_a_picture_of_mnists_size_that_is_not_placed_as_mnists_is_moved_and_says_so(
    tmp_path, digits
):
    assert unlike(tmp_path, digits, shifted) < 3
    draw = np.random.default_rng(0)
    assert read(tmp_path / "a.png", shifted(digits[30], draw)).note == (
        "28x28, dark on light; moved to where MNIST's digits are"
    )


@pytest.mark.parametrize("times", [1, 4])
def test_a_digit_that_fills_its_picture_keeps_its_polarity(tmp_path, digits, times):
    def tight(digit, draw):
        rows, columns = np.nonzero(digit > 64)
        cut = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        return 1 - np.kron(cut, np.ones((times, times))) / 255

    assert unlike(tmp_path, digits[::3], tight) < 6


@pytest.mark.parametrize("side", [28, 100])
@pytest.mark.parametrize("noise", [0.02, 0.08])
def test_noise_is_no_ink(tmp_path, digits, side, noise):
    def grainy(digit, draw):
        return rendered(digit, 220, 0.8, True, side) + draw.normal(0, noise, (side, side))

    assert unlike(tmp_path, digits[::10], grainy, side) < 10


@pytest.mark.parametrize("darkest", [0.8, 0.5])
@pytest.mark.parametrize("kind", ["gradient", "edge"])
@pytest.mark.parametrize("side", [28, 100])
def test_a_shadow_is_no_ink(tmp_path, digits, side, kind, darkest):
    def lit(digit, draw):
        across = np.linspace(0, 1, side)[None, :]
        if kind == "edge":
            across = (across > 0.6).astype(float)
        return rendered(digit, 230, 0.8, True, side) * (darkest + (1 - darkest) * across)

    assert unlike(tmp_path, digits[::10], lit, side) < (8 if kind == "gradient" else 14)


@pytest.mark.parametrize("hidden", [0, 255])
@pytest.mark.parametrize(("side", "paper"), [(28, 255), (28, 200), (64, 255), (200, 220)])
def test_what_is_transparent_around_paper_is_paper(tmp_path, digits, side, paper, hidden):
    """A sheet with rounded corners, whose pixels have some colour that is not seen."""
    place = np.linspace(-1, 1, side)
    clear = place[:, None] ** 4 + place[None, :] ** 4 > 1.2
    for digit in digits[::12]:
        grey = np.rint(255 * rendered(digit, paper, 0.9, True, side)).astype(np.uint8)
        alpha = np.where(clear, 0, 255).astype(np.uint8)
        whole = read(tmp_path / "whole.png", grey / 255)
        layers = np.dstack([np.where(clear, hidden, grey)] * 3 + [alpha]).astype(np.uint8)
        Image.fromarray(layers).save(tmp_path / "a.png")
        found = read_drawing(tmp_path / "a.png")
        assert abs(found.pixels.astype(int) - whole.pixels).mean() < 1
        assert found.note == whole.note


def test_a_sheet_in_the_midst_of_nothing_and_one_with_a_digit_cut_out(tmp_path):
    expected = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    with Image.open(tmp_path / "a.png") as image:
        sheet = image.convert("RGBA")
        cut = Image.new("RGBA", image.size, (240, 240, 240, 255))
        cut.putalpha(image.convert("L"))  # the strokes are holes
    nothing = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    nothing.paste(sheet, (50, 300))
    for picture in (nothing, cut):
        picture.save(tmp_path / "b.png")
        assert abs(read_drawing(tmp_path / "b.png").pixels - expected).mean() < 6


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("CMYK", "tif"), ("LAB", "tif"), ("F", "tif"), ("P", "gif"), ("YCbCr", "jpg")],
)
def test_every_mode_is_read(tmp_path, mode, suffix):
    expected = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    with Image.open(tmp_path / "a.png") as image:
        if mode == "LAB":
            flat = Image.new("L", image.size, 128)
            other = Image.merge("LAB", [image, flat, flat])
        else:
            other = image.convert(mode)
        other.save(tmp_path / f"b.{suffix}")
    assert abs(read_drawing(tmp_path / f"b.{suffix}").pixels - expected).mean() < 4


def test_a_palette_and_sixteen_bits_may_have_a_transparent_colour(tmp_path):
    expected = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    with Image.open(tmp_path / "a.png") as image:
        palette = image.quantize(2)
        index = palette.getpixel((0, 0))
        palette.save(tmp_path / "b.png", transparency=index)
        deep = Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
        deep.save(tmp_path / "c.png", transparency=51000)
    for name in ("b.png", "c.png"):
        assert abs(read_drawing(tmp_path / name).pixels - expected).mean() < 4


def test_of_an_animation_the_first_frame_is_read_and_it_says_so(tmp_path):
    with Image.open(drawn(tmp_path / "a.png")) as image:
        image.save(tmp_path / "b.gif", save_all=True, append_images=[Image.new("L", (200, 200), 9)])
    assert read_drawing(tmp_path / "b.gif").note == (
        "200x200, dark on light; the first of 2 frames"
    )


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    with Image.open(drawn(tmp_path / "a.png")) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # "rotate by 90 degrees clockwise to see it upright"
        turned.save(tmp_path / "turned.jpg", exif=exif)
    upright = read_drawing(tmp_path / "a.png").pixels.astype(int)
    assert abs(read_drawing(tmp_path / "turned.jpg").pixels - upright).mean() < 4


def exif_of(content):
    """A JPEG's EXIF data, as the file has them."""
    return b"Exif\x00\x00" + content


BROKEN_EXIF = {
    "no header": exif_of(b"?"),
    "an offset outside": exif_of(b"II*\x00\xff\xff\xff\x7f"),
    "a count of many": exif_of(b"II*\x00\x08\x00\x00\x00\xff\xff\x12\x01\x03\x00"),
    "an orientation of text": exif_of(
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x04\x00\x00\x00abc\x00\x00\x00\x00\x00"
    ),
}


@pytest.mark.parametrize("content", BROKEN_EXIF.values(), ids=BROKEN_EXIF.keys())
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_picture_with_broken_exif_data_is_read_as_it_lies(tmp_path, suffix, content):
    expected = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    found = read_drawing(drawn(tmp_path / f"b.{suffix}", exif=content))
    assert abs(found.pixels - expected).mean() < 4
    assert found.note.startswith("200x200, dark on light")


def test_what_could_not_be_turned_is_said(tmp_path, monkeypatch):
    def fail(image):
        raise TypeError("object of type 'int' has no len()")

    monkeypatch.setattr(ImageOps, "exif_transpose", fail)
    assert read_drawing(drawn(tmp_path / "a.png")).note == (
        "200x200, dark on light; its EXIF data is broken, so it was not turned"
    )


def test_a_broken_colour_profile_is_left_aside(tmp_path):
    expected = read_drawing(drawn(tmp_path / "a.png")).pixels.astype(int)
    for name in ("b.png", "b.jpg"):
        found = read_drawing(drawn(tmp_path / name, icc_profile=b"no profile"))
        assert abs(found.pixels - expected).mean() < 4


def bomb(path):
    """A PNG whose header promises 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def halved(path):
    whole = drawn(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def grainy_paper(path):
    noise = np.random.default_rng(0).normal(200, 10, (60, 60))
    Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(path)


def not_finite(path):
    Image.fromarray(np.full((30, 30), np.nan, np.float32)).save(path, "tiff")


UNREADABLE = {
    "blank": (lambda path: Image.new("L", (50, 50), 255).save(path), "shows nothing"),
    "one pixel": (lambda path: Image.new("L", (1, 1), 9).save(path), "shows nothing"),
    "a line": (lambda path: Image.new("L", (1, 90), 9).save(path), "shows nothing"),
    "clear": (lambda path: Image.new("RGBA", (50, 50), (0,) * 4).save(path), "shows nothing"),
    "grainy": (grainy_paper, "shows nothing"),
    "text": (lambda path: path.write_text("no picture"), "Pillow does not know its format"),
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "half": (halved, "truncated"),
    "bomb": (bomb, "exceeds limit"),
    "not finite": (not_finite, "not finite"),
    "a folder": (lambda path: path.mkdir(), "is not a file"),
    "a pipe": (os.mkfifo, "is not a file"),
    "gone": (lambda path: path.symlink_to("nowhere"), "there is no such file"),
}


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_shows_nothing_or_is_no_picture_is_one_line_with_its_name(tmp_path, make, message):
    path = tmp_path / "bad.png"
    make(path)
    with pytest.raises(DataError, match=message) as raised:
        read_drawing(path)
    assert str(raised.value).startswith(f"{path} ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", range(30))
def test_whatever_is_damaged_is_read_or_refused(tmp_path, damage):
    draw = np.random.default_rng(damage)
    suffix = ["png", "jpg", "gif", "tif", "bmp", "webp"][damage % 6]
    path = drawn(tmp_path / f"a.{suffix}")
    content = bytearray(path.read_bytes())
    for place in draw.integers(0, min(len(content), 300), 8):
        content[place] = int(draw.integers(256))
    path.write_bytes(content)
    with suppress(DataError):
        assert read_drawing(path).pixels.shape == (28, 28)


def test_a_picture_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    def refuse(self, *arguments, **settings):
        raise PermissionError(13, "Permission denied", str(self))

    path = drawn(tmp_path / "a.png")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError) as raised:
        read_drawing(path)
    assert str(raised.value) == (
        f"{path} cannot be read as a picture: Permission denied "
        "(change its permissions, or choose another place)"
    )


def garment(side=28):
    """What fills an image from top to bottom, not in its middle, and is grey all over."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[:, 6:18] = 90 + 5 * np.arange(28, dtype=np.uint8)[:, None]
    return np.kron(pixels, np.ones((side // 28, side // 28), np.uint8))


@pytest.mark.parametrize("dark", [True, False])
def test_what_is_no_digit_keeps_every_pixel_at_its_own_size(tmp_path, dark):
    Image.fromarray(255 - garment() if dark else garment()).save(tmp_path / "a.png")
    drawing = read_drawing(tmp_path / "a.png", digits=False)
    assert np.array_equal(drawing.pixels, garment())
    assert drawing.note == f"28x28, {'dark on light' if dark else 'light on dark'}"


def test_what_is_no_digit_is_made_smaller_whole(tmp_path):
    Image.fromarray(255 - garment(280)[:, :200]).save(tmp_path / "a.png")
    drawing = read_drawing(tmp_path / "a.png", digits=False)
    assert drawing.note == "200x280, dark on light"
    columns = np.flatnonzero(drawing.pixels.max(0))
    assert (columns[0], columns[-1]) == (10, 21)  # 4 to the left of it, for the square
    assert np.flatnonzero(drawing.pixels.max(1)).tolist() == list(range(28))
