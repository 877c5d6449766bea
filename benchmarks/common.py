"""What the benchmarks share: the machine's name, contenders in turn, medians with their spread."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch

from mnist_sweep.data import Images
from mnist_sweep.run.cores import cores
from mnist_sweep.run.load import load_trained
from mnist_sweep.run.machine import processor
from mnist_sweep.training.loop import Precision, evaluate

RESULTS = Path(__file__).with_name("results")
PACKAGES = ("torch", "torchvision", "optuna", "hydra-core", "lightning", "torchmetrics", "ray")

Figures = TypeVar("Figures")


def machine() -> dict[str, Any]:
    """Return what figures depend on: processor, cores, and the versions that are installed."""
    return {"processor": processor(), "cores": cores(), "python": platform.python_version()} | {
        name: version(name) for name in PACKAGES if installed(name)
    }


def installed(package: str) -> bool:
    """Whether a package is installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def alternate(
    contenders: Mapping[str, Callable[[], Figures]],
    repetitions: int,
    keep: Callable[[dict[str, list[Figures]]], None] = lambda found: None,
) -> dict[str, list[Figures]]:
    """Run every contender once a repetition, forwards and backwards in turn.

    So a machine that grows slower, or is shared with others, is as unkind to each of them. `keep`
    gets what there is after each run, for what takes hours and may be cut short.
    """
    found: dict[str, list[Figures]] = {name: [] for name in contenders}
    for repetition in range(repetitions):
        names = list(contenders)
        for name in names if repetition % 2 == 0 else reversed(names):
            found[name].append(contenders[name]())
            print(f"  {repetition + 1}/{repetitions} {name}: {found[name][-1]}", file=sys.stderr)
            keep(found)
    return found


def ratios(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return each repetition's ratio to the reference's of the same repetition."""
    return [value / other for value, other in zip(values, reference, strict=True)]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Return median, smallest and largest as text."""
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{median:{form}} ({low:{form}} to {high:{form}})"


def command(arguments: Sequence[str], folder: Path, threads: int | None = None) -> str:
    """Run a module of ours in a folder, and return what it printed; end with what went wrong.

    `threads` fixes how many a process computes with.
    """
    environment = dict(os.environ)
    root = str(Path(__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")])
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    line = [sys.executable, "-m", *arguments]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(line)}\n{done.stdout}{done.stderr}")
    return done.stdout


def need_gpu() -> None:
    """End with what is missing for a benchmark of a GPU on the full MNIST."""
    if not torch.cuda.is_available():
        sys.exit("error: torch finds no GPU here, and this benchmark measures nothing else")
    if "MNIST_SWEEP_DATA" not in os.environ:
        sys.exit("error: set MNIST_SWEEP_DATA to a folder with the full MNIST")


def accuracy(directory: Path, images: Images) -> float:
    """Return the accuracy on some images of the weights that a run kept."""
    trained = load_trained(str(directory), torch.device("cpu"))
    return evaluate(trained.model, images, trained.pipeline, Precision())[1]


def save(name: str, result: Mapping[str, Any]) -> None:
    """Write a benchmark's figures for a machine to read, and say where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"benchmark": name, "machine": machine(), **result}, indent=1))
    print(f"written: {path}")


def title(text: str) -> None:
    """Print what is measured, and on what."""
    print(text)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
