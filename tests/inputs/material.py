"""Small files of every kind, as the programs write them: the tables spoil copies of them."""

import struct
from pathlib import Path

import numpy as np
import optuna
from PIL import Image

from mnist_sweep.data.sources import FILES, IMAGE_MAGIC, LABEL_MAGIC
from tests.report.conftest import add, create, ran


def make_pictures(folder: Path) -> None:
    """Write digit.png, a stroke on paper."""
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[8:32, 18:22] = 0
    Image.fromarray(pixels).save(folder / "digit.png")


def idx(magic: int, shape: tuple[int, ...], content: bytes) -> bytes:
    """Return a file in MNIST's format."""
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + content


def make_idx(raw: Path, count: int = 12) -> None:
    """Write the four files of a set with so many images in each half."""
    raw.mkdir(parents=True)
    for images, labels in FILES.values():
        pixels = bytes(n % 251 for n in range(count * 28 * 28))
        (raw / images).write_bytes(idx(IMAGE_MAGIC, (count, 28, 28), pixels))
        (raw / labels).write_bytes(idx(LABEL_MAGIC, (count,), bytes(n % 10 for n in range(count))))


def make_studies(folder: Path) -> None:
    """Write studies.db and studies.log, each with a study of every state."""
    journal = optuna.storages.journal.JournalFileBackend(str(folder / "studies.log"))
    for storage in (
        f"sqlite:///{folder}/studies.db",
        optuna.storages.JournalStorage(journal),
    ):
        create("empty", storage=storage)
        failed = create("failed", storage=storage)
        add(failed, "failed", reason="diverged", **ran(0))
        usual = create("usual", storage=storage)
        add(usual, "complete", 0.9, (0.8, 0.9), **ran(0))
        add(usual, "complete", 0.95, (0.8, 0.95), lr=0.02, **ran(1))
        two = create("two", ("maximize", "minimize"), ["val_acc", "parameters"], storage)
        add(two, "complete", [0.9, 100], **ran(0))
        others = optuna.create_study(study_name="others", storage=storage)
        others.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
        running = create("running", storage=storage)
        running.ask()
