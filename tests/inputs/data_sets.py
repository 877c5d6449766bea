"""Sets in MNIST's format that are damaged, and folders that have none."""

from pathlib import Path

from tests.inputs.case import case, cut, loop, pipe, removed, written
from tests.inputs.material import idx

RAW = "idx/MNIST/raw/"
IMAGES, LABELS = f"{RAW}train-images-idx3-ubyte", f"{RAW}train-labels-idx1-ubyte"
SET = (
    "train model=linear tracking=none epochs=1 data=fashion_mnist data.name=small "
    "data.folder=Small data.download=false data.root=idx data.validation=2 batch_size=4"
)
PIXELS = bytes(28 * 28)


def small(says, spoil=None, words=""):
    """Return a case of a set of its own name, of which no sums are known."""

    def place():
        Path("idx/MNIST").rename("idx/Small")
        if spoil is not None:
            spoil()

    place.__name__ = "as it is" if spoil is None else spoil.__name__
    return case(words, says, "idx", place, SET)


def nothing():
    written(PICTURES, idx(0x803, (0, 28, 28), b""))()
    written(ANSWERS, idx(0x801, (0,), b""))()


PICTURES, ANSWERS = IMAGES.replace("MNIST", "Small"), LABELS.replace("MNIST", "Small")
CASES = [
    small("train-images-idx3-ubyte", removed(PICTURES)),
    small("is truncated", written(PICTURES, "")),
    small("is truncated", cut(PICTURES, 15)),
    small("its header promises", cut(PICTURES, 5000)),
    small("magic number", written(PICTURES, b"\x00" * 5000)),
    small("magic number", written(PICTURES, idx(0x801, (12, 28, 28), PIXELS * 12))),
    small("expected 28x28", written(PICTURES, idx(0x803, (12, 32, 32), bytes(12 * 32 * 32)))),
    small("expected 28x28", written(PICTURES, idx(0x803, (0, 0, 0), b""))),
    small("its header promises", written(PICTURES, idx(0x803, (2**32 - 1, 28, 28), PIXELS))),
    small("its header promises", written(PICTURES, idx(0x803, (2**32 - 1,) * 3, PIXELS))),
    small("its header promises", written(PICTURES, idx(0x803, (2**31, 2**31, 4), b""))),
    small("images, ", written(PICTURES, idx(0x803, (11, 28, 28), PIXELS * 11))),
    small("holds no images", nothing),
    small("holds label 255", written(ANSWERS, idx(0x801, (12,), b"\xff" * 12))),
    small("is truncated", written(ANSWERS, "")),
    small("train-images-idx3-ubyte", written(PICTURES)),
    small("train-images-idx3-ubyte", pipe(PICTURES)),
    small("train-images-idx3-ubyte", loop(PICTURES)),
    small("data.validation=12 must be between 1 and 11", None, "data.validation=12"),
    small("batch_size=11", None, "batch_size=11"),
    small("nowhere", None, "data.root=nowhere"),
    small("data.root", None, "data.root=/dev/null"),
    small("data", None, "data.folder=../../etc"),
    small("does not fit data.folder", None, "data.name=mnist"),
    case(
        "train model=linear data=mnist data.root=idx data.download=false tracking=none",
        "is not the published file",
        "idx",
    ),
    case(
        "train model=linear data=mnist data.root=nowhere data.download=false tracking=none",
        "no train-images",
    ),
]
