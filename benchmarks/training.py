"""Images a second of the training pass: ours, a DataLoader loop, and Lightning with torchmetrics.

    make bench-training [REPETITIONS=5]

Every contender trains the enhanced network in float32 by Adam in batches of 32 on the 4,000
training images of mnist_5k, each time in a process of its own, with as many threads as there are
cores; a repetition's figure is the median over its epochs but the first. Ours is the real entry,
with its records; "workers" are one such process a core with one thread each, at the same time,
added up. The others have the network in torch's own layers.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.common import alternate, command, installed, ratios, save, spread, title
from benchmarks.digits import write_for_torchvision
from mnist_sweep.run.cores import cores

EPOCHS = 6
OURS, WORKERS = "ours, all cores", "ours, one worker a core"
LOADER, LIGHTNING = "DataLoader loop", "Lightning"


def ours(folder: Path, threads: int) -> float:
    """Train by this project's entry in a fresh directory; return images a second."""
    with tempfile.TemporaryDirectory(dir=folder) as run:
        settings = ["data=mnist_5k", f"epochs={EPOCHS}", "tracking=none", f"hydra.run.dir={run}/r"]
        command(["mnist_sweep.train", *settings], folder, threads)
        lines = (Path(run) / "r" / "metrics.jsonl").read_text().splitlines()
    return statistics.median(json.loads(line)["images_per_second"] for line in lines[1:])


def workers(folder: Path) -> float:
    """Train in one process a core at the same time; return their images a second added up."""
    with ThreadPoolExecutor(cores()) as pool:
        return sum(pool.map(lambda _: ours(folder, 1), range(cores())))


def other(folder: Path, *arguments: str) -> float:
    """Train by another contender; return images a second."""
    printed = command(["benchmarks.contenders." + arguments[0], *arguments[1:]], folder, cores())
    return statistics.median(json.loads(printed.splitlines()[-1])[1:])


def contenders(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what is installed."""
    root, epochs = str(folder), str(EPOCHS)
    found: dict[str, Callable[[], float]] = {
        OURS: partial(ours, folder, cores()),
        WORKERS: partial(workers, folder),
        f"{LOADER}, no workers": partial(other, folder, "dataloader", root, epochs, "0"),
        f"{LOADER}, 2 workers": partial(other, folder, "dataloader", root, epochs, "2"),
    }
    if installed("lightning"):
        found[LIGHTNING] = partial(other, folder, "lightning_loop", root, epochs)
    else:
        print("Lightning is not installed: pip install -e '.[bench]'", file=sys.stderr)
    return found


def main(repetitions: int) -> None:
    """Run all contenders in turn and print their figures and the ratios that matter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_for_torchvision(folder)
        found = alternate(contenders(folder), repetitions)
    title("images a second of the training pass, enhanced network, batch 32, float32")
    for name, values in found.items():
        print(f"  {name:<28} {spread(values, ',.0f')}")
    loader = max(statistics.median(v) for n, v in found.items() if n.startswith(LOADER))
    pairs = [(OURS, n) for n, v in found.items() if statistics.median(v) == loader]
    pairs += [(WORKERS, n) for n in found if n == LIGHTNING] + [(WORKERS, OURS)]
    shown = {f"{a} / {b}": ratios(found[a], found[b]) for a, b in pairs}
    for name, values in shown.items():
        print(f"  {name:<48} {spread(values)}")
    save("training", {"images_per_second": found, "ratios": shown})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
