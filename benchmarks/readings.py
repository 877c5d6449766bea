"""How well `predict` reads photographs, what it doubts, and what its probabilities are worth.

    python -m benchmarks.readings BUNDLE [COUNT [SEED]]

BUNDLE  of a network that was trained on the full MNIST
COUNT   how many photographs are made up of test images (tests/bundle/photographs.py); 500
SEED    of those and of everything else that is drawn; 7

Test images are looked at: this is for the figures in docs/predict.md, and not for a choice.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from benchmarks.common import title
from mnist_sweep.bundle.doubts import Reading, reading
from mnist_sweep.bundle.drawings import read_drawing
from mnist_sweep.data import DataError, Images, load_dataset
from mnist_sweep.inspection import predictions
from mnist_sweep.inspection.calibration import calibration_error, negative_log_likelihood
from mnist_sweep.run.exported import Bundle, read_bundle
from tests.bundle.photographs import photograph

CPU = torch.device("cpu")
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYacdefhkmnprtuvwxy"  # without those that look like digits
FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf")


def main(folder: str, count: int = 500, seed: int = 7) -> None:
    """Print every figure of docs/predict.md."""
    torch.set_num_threads(1)
    bundle, test = read_bundle(folder, CPU), load_dataset("mnist", data_root()).test
    calibration(bundle, test)
    draw = np.random.default_rng(seed)
    title("what is read, and doubted")
    report("MNIST's test images", bundle, list(test.images.numpy()), test.labels.tolist())
    chosen = draw.permutation(len(test))[:count]
    taken = [photograph(test.images[int(n)].numpy(), draw) for n in chosen]
    labels = [int(test.labels[int(n)]) for n in chosen]
    report("photographs", bundle, [each.content for each in taken], labels)
    for kind in ("plain", "ruled", "squared"):
        part = [n for n, each in enumerate(taken) if each.paper == kind]
        report(f"  {kind}", bundle, [taken[n].content for n in part], [labels[n] for n in part])
    report("two digits", bundle, list(pairs(test, np.random.default_rng(seed))), None)
    report("letters", bundle, list(letters()), None)
    for kind in ("uniform", "normal", "salt", "blobs"):
        drawn = noise(kind, np.random.default_rng(seed))
        report(f"noise: {kind}", bundle, list(drawn), None)


def data_root() -> str:
    """Return where the full MNIST is."""
    return os.environ.get("MNIST_SWEEP_DATA", "data")


def calibration(bundle: Bundle, test: Images) -> None:
    """Print what the temperature changes on the test images."""
    title("probabilities, 10,000 test images")
    logits = predictions.logits(bundle.model, test, bundle.pipeline)
    for temperature in (1.0, bundle.temperature):
        found = torch.softmax(logits / temperature, 1)
        nll = negative_log_likelihood(found, test.labels)
        error = calibration_error(found, test.labels)
        print(f"temperature {temperature:.3f}: NLL {nll:.5f}, ECE {error:.3%}")


def report(
    name: str, bundle: Bundle, pictures: Sequence[bytes | np.ndarray], labels: list[int] | None
) -> None:
    """Print a line: how many are read right, how sure, which doubts they have."""
    found = [read(bundle, picture) for picture in pictures]
    seen = [each for each in found if each is not None]
    doubted = Counter(doubt.kind for each in seen for doubt in each.doubts)
    parts = [f"{name}, {len(found)}", f"refused {len(found) - len(seen)}"]
    if labels is not None:
        is_right = [
            each is not None and each.label == str(label)
            for each, label in zip(found, labels, strict=True)
        ]
        wrong = [f for f, right in zip(found, is_right, strict=True) if f is not None and not right]
        parts.append(f"right {np.mean(is_right):.2%}")
        parts.append(f"of {len(wrong)} wrong doubted {sum(bool(f.doubts) for f in wrong)}")
    if seen:
        sure = np.median([each.probability for each in seen])
        parts.append(f"median probability {sure:.1%}")
        parts.append(f"any doubt {np.mean([bool(each.doubts) for each in seen]):.1%}")
        parts.append(", ".join(f"{kind} {number}" for kind, number in doubted.most_common()))
    print("; ".join(part for part in parts if part))


def read(bundle: Bundle, picture: bytes | np.ndarray) -> Reading | None:
    """Read a picture as predict does, a JPEG or brightness uint8 [H, W]; None where it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            Image.fromarray(picture).save(path, "png")
        try:
            drawing = read_drawing(path)
        except DataError:
            return None
    probabilities = bundle.probabilities(torch.from_numpy(drawing.pixels)[None])[0]
    return reading(drawing, probabilities.tolist(), bundle.labels)


def pairs(test: Images, draw: np.random.Generator, count: int = 200) -> Iterator[np.ndarray]:
    """Yield pictures of two digits beside each other."""
    for _ in range(count):
        sheet = np.zeros((60, 100), np.uint8)
        for at in (12, 52):
            row = int(draw.integers(8, 24))
            sheet[row : row + 28, at : at + 28] = test.images[int(draw.integers(len(test)))]
        yield 255 - sheet


def letters() -> Iterator[np.ndarray]:
    """Yield pictures of letters."""
    for name in FONTS:
        file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
        font = ImageFont.truetype(str(file), 60)
        for letter in LETTERS:
            sheet = Image.new("L", (100, 100), 255)
            ImageDraw.Draw(sheet).text((25, 15), letter, font=font, fill=0)
            yield np.asarray(sheet)


def noise(kind: str, draw: np.random.Generator, each: int = 25) -> Iterator[np.ndarray]:
    """Yield pictures of noise, of some sizes."""
    for side in (28, 64, 200, 400):
        for _ in range(each):
            if kind == "uniform":
                values = draw.random((side, side))
            elif kind == "normal":
                values = 0.5 + draw.normal(0, draw.uniform(0.05, 0.4), (side, side))
            elif kind == "salt":
                values = np.where(draw.random((side, side)) < draw.uniform(0.01, 0.3), 0.0, 1.0)
            else:
                rough = draw.normal(0, 1, (side, side))
                values = ndimage.gaussian_filter(rough, draw.uniform(0.02, 0.1) * side)
                values = (values - values.min()) / np.ptp(values)
            yield np.clip(np.rint(255 * values), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
