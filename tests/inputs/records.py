"""Conclusions of confirmations that somebody has changed, or that are none."""

import json
from dataclasses import asdict
from pathlib import Path

from mnist_sweep.confirm.conclusion import Comparison, Conclusion, Standing
from mnist_sweep.confirm.intervals import Interval
from tests.inputs.case import case, loop, pipe, written

FILE = "c/confirmation.json"


def conclusion():
    """Return what a small confirmation records."""
    around, loss = Interval(0.97, 0.96, 0.98), Interval(0.1, 0.09, 0.11)
    standings = [
        Standing(title, "mlp", 9_550, 2, 0.97, [1, 2], [0.97, 0.96], [], around, loss, around)
        for title in ("a", "b")
    ]
    compared = Comparison("b", 2, Interval(0.01, 0.0, 0.02))
    return asdict(Conclusion("mnist_5k", 500, "val_acc", 0.95, standings, [compared], []))


def changed(value, *path):
    """Return a function that writes a conclusion in which one entry is another."""

    def write():
        found = conclusion()
        place = found
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        Path("c").mkdir()
        Path(FILE).write_text(json.dumps(found))

    write.__name__ = f"{'.'.join(map(str, path))}={value!r}"[:60]
    return write


DAMAGES = (
    written(FILE, ""),
    written(FILE, "{"),
    written(FILE, "[]"),
    written(FILE, b"\xff"),
    written(FILE, "{}"),
    written(FILE, "[" * 100_000),
    written(FILE),
    pipe(FILE),
    loop(FILE),
    changed(5, "data"),
    changed("many", "images"),
    changed(None, "standings"),
    changed([], "standings"),
    changed([1], "standings"),
    changed(5, "comparisons"),
    changed("x", "unsettled"),
    changed(1, "nonsense"),
    changed("x", "standings", 0, "parameters"),
    changed("\x1b[2J", "standings", 0, "model"),
    changed(["x"], "standings", 0, "seeds"),
    changed([2**80], "standings", 0, "seeds"),
    changed({"mean": 1}, "standings", 0, "val_acc"),
    changed(None, "standings", 0, "val_acc"),
    changed({"mean": "x", "low": 0, "high": 1}, "standings", 0, "val_acc"),
    changed(10**400, "standings", 0, "searched"),
    changed("x", "comparisons", 0, "difference"),
    changed("nobody", "comparisons", 0, "title"),
    changed({"a": -1}, "missing"),
    changed({"detectable": "x"}, "power"),
    changed({"first": "a", "order_seeds": 2, "steps": [5]}, "ablation"),
    changed({"first": "a", "order_seeds": 2}, "ablation"),
)
CASES = [case("results confirmation=c", "c", "", spoil) for spoil in DAMAGES]
