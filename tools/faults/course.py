"""What the harness's job computes, and how it writes that down: a run directory in small."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_sweep.files import remove_leftovers, replacing
from mnist_sweep.sweep.trial import Reporter

METRICS, CHECKPOINT = "metrics.jsonl", "checkpoint.json"


def course(x: float, epochs: int) -> list[float]:
    """Return the state after each epoch, from a start in (0, 1).

    The logistic map at 3.9 is chaotic (https://doi.org/10.1038/261459a0): an epoch that is left
    out, done twice or resumed from a rounded state shows in every later one.
    """
    return list(_states(x, epochs))


def _states(state: float, epochs: int) -> Iterator[float]:
    for _ in range(epochs):
        state = 3.9 * state * (1 - state)
        yield state


def run(
    x: float, epochs: int, seconds: float, folder: Path, reporter: Reporter | None = None
) -> float:
    """Do a course, from where its folder stands; return its last state. Raises LeaseLost.

    Each epoch has the order of a run of `mnist_sweep.run`: look at the lease, record, save, report.
    """
    epoch, state = _resume(folder, x)
    if reporter is not None:
        for line in read_metrics(folder):  # the last one may not have got as far as the study
            reporter.report(line["state"], line["epoch"])
    while epoch < epochs:
        time.sleep(seconds)
        epoch, state = epoch + 1, course(state, 1)[0]
        if reporter is not None:
            reporter.check()
        with (folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, "state": state}) + "\n")
        with replacing(folder / CHECKPOINT) as temporary:
            text = json.dumps({"epoch": epoch, "state": state})
            temporary.write_text(text, encoding="utf-8")
        if reporter is not None:
            reporter.report(state, epoch, may_stop=False)
    return state


def _resume(folder: Path, x: float) -> tuple[int, float]:
    """Return the epoch and the state to continue from, without the lines of later epochs."""
    remove_leftovers(folder)
    path = folder / CHECKPOINT
    if not path.exists():
        (folder / METRICS).unlink(missing_ok=True)
        return 0, x
    saved = json.loads(path.read_text(encoding="utf-8"))
    kept = [line for line in read_metrics(folder) if line["epoch"] <= saved["epoch"]]
    with replacing(folder / METRICS) as temporary:
        lines = "".join(json.dumps(line) + "\n" for line in kept)
        temporary.write_text(lines, encoding="utf-8")
    return saved["epoch"], saved["state"]


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return a run's recorded epochs; a last line that a kill cut short is left out."""
    path = folder / METRICS
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]
