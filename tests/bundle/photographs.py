"""Photographs of handwritten digits, made up: strokes on paper, light, lines, a camera, a file.

The middle line of a digit of MNIST is drawn with a pen of another width. All else is random: the
paper and its lines, where the digit is, uneven light, a shadow's edge, blur, noise, and how the
file stores it. None of it is fitted to what reads it.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

PAPERS = ("plain", "ruled", "squared")
ROTATED = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}


@dataclass(frozen=True)
class Photograph:
    """`content`: the file, a JPEG; the rest says how it was made."""

    content: bytes
    size: tuple[int, int]
    paper: str
    dark_on_light: bool


def photograph(digit, draw, longest=3000):
    """Photograph a digit, uint8 [28, 28], light on dark; its longer side is 200 to `longest`."""
    longer = round(200 * (longest / 200) ** draw.random() ** 1.5)  # most are small: for speed
    shorter = round(longer * draw.choice([0.75, 1.0, 9 / 16]))
    width, height = (longer, shorter) if draw.random() < 0.5 else (shorter, longer)
    paper = str(draw.choice(PAPERS))
    dark = bool(draw.random() < 0.8)
    sheet = _sheet(width, height, paper, dark, draw)
    ink = _pen(digit, (width, height), draw)
    if dark:
        colour = [(0.1, 0.1, 0.12), (0.12, 0.18, 0.5), (0.25, 0.25, 0.27)][draw.integers(3)]
    else:
        colour = (0.92, 0.92, 0.9)
    alpha = ink[..., None] * draw.uniform(0.75, 1.0)
    scene = sheet * (1 - alpha) + np.asarray(colour, np.float32) * alpha
    scene = scene * _light(width, height, draw)[..., None]
    return Photograph(_taken(scene, draw), (width, height), paper, dark)


def _pen(digit, size, draw):
    """The strokes [H, W] in [0, 1]: of some width, turned a little, somewhere on the sheet."""
    width, height = size
    tall = round(min(width, height) * draw.uniform(0.25, 0.75))
    line = thinned(np.kron(digit > 96, np.ones((4, 4), bool)))
    rows, columns = np.nonzero(line)
    cut = line[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    pen = max(2, round(max(cut.shape) * draw.uniform(0.04, 0.14)))  # across, of the digit's height
    cut = np.pad(cut, pen)
    cut = ndimage.gaussian_filter((ndimage.distance_transform_edt(~cut) < pen / 2) * 1.0, 0.8)
    factor = tall / max(cut.shape)
    large = Image.fromarray(cut.astype(np.float32)).resize(
        tuple(max(8, round(length * factor)) for length in cut.shape[::-1]),
        Image.Resampling.BICUBIC,
    )
    turned = large.rotate(draw.uniform(-8, 8), Image.Resampling.BILINEAR, expand=True)
    free = (width - turned.width, height - turned.height)
    place = [round(length * draw.uniform(0.15, 0.85)) for length in free]
    whole = Image.new("F", (width, height), 0)
    whole.paste(turned, tuple(place))
    return np.clip(np.asarray(whole), 0, 1)


def thinned(shape):
    """The middle line of a shape, bool [H, W] (Zhang and Suen, Comm. ACM 27(3), 1984)."""
    shape, changed = np.pad(shape, 1), True
    while changed:
        changed = False
        for step in range(2):
            around = [
                np.roll(shape, at, (0, 1))
                for at in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            count = np.sum(around, 0)
            turns = sum(~a & b for a, b in zip(around, around[1:] + around[:1], strict=True))
            up, right, down, left = around[::2]
            if step == 0:
                free = ~(up & right & down) & ~(right & down & left)
            else:
                free = ~(up & right & left) & ~(up & down & left)
            gone = shape & (count >= 2) & (count <= 6) & (turns == 1) & free
            if gone.any():
                shape, changed = shape & ~gone, True
    return shape[1:-1, 1:-1]


def _sheet(width, height, paper, dark, draw):
    """Paper of some colour [H, W, 3], with its lines, seen a little from the side."""
    base = draw.uniform(0.72, 0.95) if dark else draw.uniform(0.12, 0.3)
    tint = base * (1 + draw.uniform(-0.05, 0.05, 3))
    picture = Image.new("RGB", (width, height), tuple(int(255 * min(c, 1)) for c in tint))
    if paper != "plain":
        lines = ImageDraw.Draw(picture)
        apart = min(width, height) * draw.uniform(0.07, 0.2)
        strength = draw.uniform(0.1, 0.3)
        shade = 1 - strength if dark else 1 + 1.5 * strength
        colour = tuple(
            int(255 * min(c * shade * k, 1)) for c, k in zip(tint, (0.94, 1, 1.06), strict=True)
        )
        thick = max(1, round(min(width, height) / draw.uniform(180, 400)))
        lean = draw.uniform(-0.06, 0.06, 4)
        for at in np.arange(-height, 2 * height, apart):
            ends = [(0, at), (width, at + lean[0] * width + lean[1] * at)]
            lines.line(ends, fill=colour, width=thick)
        if paper == "squared":
            for at in np.arange(-width, 2 * width, apart):
                ends = [(at, 0), (at + lean[2] * height + lean[3] * at, height)]
                lines.line(ends, fill=colour, width=thick)
    return np.asarray(picture, np.float32) / 255


def _light(width, height, draw):
    """How much light falls on each place [H, W]: from one side, less away, behind a shadow."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    turn = draw.uniform(0, 2 * np.pi)
    along = (np.cos(turn) * x + np.sin(turn) * y).astype(np.float32)
    light = 1 - draw.uniform(0, 0.35) * (along + 1) / 2 - draw.uniform(0, 0.15) * (x**2 + y**2) / 2
    if draw.random() < 0.5:
        turn = draw.uniform(0, 2 * np.pi)
        across = np.cos(turn) * x + np.sin(turn) * y - draw.uniform(-0.6, 0.6)
        soft = draw.uniform(0.03, 0.25)
        light = light * (1 - draw.uniform(0.15, 0.5) / (1 + np.exp(-across / soft)))
    return light.astype(np.float32)


def _taken(scene, draw):
    """The file: blur, noise, a camera held upright or not, JPEG."""
    longer = max(scene.shape)
    blurred = ndimage.gaussian_filter(scene, (*[draw.uniform(0, 0.0025) * longer] * 2, 0))
    noise = draw.normal(0, draw.uniform(0.005, 0.04), scene.shape[:2])[..., None]
    pixels = np.clip(np.rint(255 * (blurred + noise)), 0, 255).astype(np.uint8)
    picture, exif = Image.fromarray(pixels), Image.Exif()
    orientation = int(draw.choice(list(ROTATED), p=[0.7, 0.1, 0.2]))
    if orientation != 1:
        exif[0x0112] = orientation
        picture = picture.transpose(ROTATED[orientation])
    kept = io.BytesIO()
    picture.save(kept, "jpeg", quality=int(draw.integers(40, 96)), exif=exif)
    return kept.getvalue()
