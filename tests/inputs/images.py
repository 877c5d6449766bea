"""Pictures that are none, show nothing, or are not there."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from tests.inputs.case import case, cut, loop, pipe, written


def png(pixels):
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(width, height, data=b""):
    """Return a picture file that says to be of a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


NOTHING = png(np.full((40, 40), 200, np.uint8))
SPOILED = (
    ("a.png", written("a.png", "")),
    ("a.png", written("a.png", "text")),
    ("a.png", written("a.png", claiming(60_000, 60_000))),
    ("a.png", written("a.png", claiming(2**31 - 1, 2**31 - 1))),
    ("a.png", written("a.png", claiming(0, 0))),
    ("a.png", written("a.png", claiming(40, 40))),
    ("a.png", written("a.png", NOTHING)),
    ("a.png", written("a.png", png(np.zeros((1, 1), np.uint8)))),
    ("a.png", written("a.png", png(np.zeros((1, 4000), np.uint8)))),
    ("digit.png", cut("digit.png", 60)),
    ("digit.png", cut("digit.png", 4)),
    ("a.gif", written("a.gif", b"GIF89a" + b"\xff" * 60)),
    ("a.jpg", written("a.jpg", b"\xff\xd8\xff\xe0" + b"\x00" * 60)),
    ("a.svg", written("a.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")),
    (
        "a.eps",
        written(
            "a.eps", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) run\n"
        ),
    ),
    ("a.ppm", written("a.ppm", "P5 99999999 99999999 255\n")),
    ("folder", written("folder")),
    ("folder", written("folder/a.txt", "text")),
    ("tube.png", pipe("tube.png")),
    ("around.png", loop("around.png")),
)
CASES = [
    *(
        case(f"predict bundle=bundle images={name}", name, "bundle digit.png", spoil)
        for name, spoil in SPOILED
    ),
    case("predict bundle=bundle images=nowhere.png", "images=nowhere.png: no such file", "bundle"),
    case("predict bundle=bundle images=,", "names no picture", "bundle"),
    case(["predict", "bundle=bundle", "images=\x1b[2J.png"], "images=", "bundle"),
    case(["predict", "bundle=bundle", f"images={'x' * 4000}.png"], "images=", "bundle"),
    case("predict bundle=bundle images=/dev/zero", "/dev/zero", "bundle"),
    case("predict bundle=bundle images=digit.png/x", "digit.png/x", "bundle digit.png"),
    case(
        "predict bundle=bundle images=digit.png csv=nowhere/x.csv",
        "csv=nowhere/x.csv",
        "bundle digit.png",
    ),
    case("predict bundle=bundle images=digit.png csv=bundle", "csv=bundle", "bundle digit.png"),
    case(
        "predict bundle=bundle images=digit.png show=true to=bundle/bundle.json/x.png",
        "to=",
        "bundle digit.png",
    ),
    case("pictures run=run image=bundle.json", "bundle.json", "run"),
]
