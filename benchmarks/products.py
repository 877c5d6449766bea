"""1x1 convolutions as matrix products and as convolutions: images a second of a training pass.

    make bench-products [REPETITIONS=7]

Which of them is faster depends on the processor, and `mnist_sweep.models.layers.PRODUCTS` says
which of them is used. Both train the same networks on the 4,000 training images of mnist_5k for an
epoch, in this process, by turns.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.common import alternate, ratios, save, spread, title
from mnist_sweep import train
from mnist_sweep.models import layers
from mnist_sweep.run.cores import cores

RUNS = (
    ("experiment=best_2k",),
    ("experiment=best_8k", "data.augmentation.until=1.0"),  # all of its only epoch
    ("model=compact",),
    ("model=enhanced",),
    ("model=enhanced", "batch_size=128"),
)


def pass_with(products: bool, threads: int, settings: tuple[str, ...]) -> float:
    """Train an epoch; return images a second."""
    before, layers.PRODUCTS = layers.PRODUCTS, products
    try:
        with tempfile.TemporaryDirectory() as folder:
            fixed = ("data=mnist_5k", "epochs=1", "tracking=none", "device=cpu")
            path = Path(folder) / "run"
            done = train(*settings, *fixed, f"threads={threads}", directory=path, quiet=True)
        return float(done.epochs[0]["images_per_second"])
    finally:
        layers.PRODUCTS = before


def contenders(threads: int, settings: tuple[str, ...]) -> dict[str, Callable[[], float]]:
    """Return the two ways to train a network."""
    ways = {"products": True, "convolutions": False}
    return {name: partial(pass_with, each, threads, settings) for name, each in ways.items()}


def main(repetitions: int) -> None:
    """Run both by turns for each network, and print how they compare."""
    title("images a second of the training pass: convolutions over products")
    print(f"used here: {'products' if layers.PRODUCTS else 'convolutions'}")
    found = {}
    for threads in sorted({1, cores()}):
        for settings in RUNS:
            name = f"{' '.join(settings)} threads={threads}"
            took = alternate(contenders(threads, settings), repetitions)
            found[name] = took
            factor = spread(ratios(took["convolutions"], took["products"]))
            print(f"  {name:<58} {factor}", flush=True)
    save("products", {"images_per_second": found})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
