"""The time that a question has taken so far, over all calls of the command, kept on disk."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.best.question import QuestionError
from mnist_sweep.files import replacing, writing
from mnist_sweep.study_folder import ANSWER
from mnist_sweep.text import one_line
from mnist_sweep.untrusted_files import (
    COUNTED,
    NUMBER,
    Check,
    check_kinds,
    is_number,
    parse_json,
    text_of,
)

SECONDS = Check(
    "numbers of seconds by step",
    lambda value: isinstance(value, dict) and all(map(is_number, value.values())),
)
KINDS = {
    "seconds": SECONDS,
    "answered": NUMBER,
    "epochs": COUNTED,
    "top": COUNTED,
    "seeds": COUNTED,
}


@dataclass
class Ledger:
    """`seconds`: by step, of all calls; `answered`: within how many hours, None: not yet.

    `epochs`: of a trial, where the hours are too few for those of the config. `top` and `seeds`:
    what was confirmed, None: not yet.
    """

    path: Path
    seconds: dict[str, float] = field(default_factory=dict)
    answered: float | None = None
    epochs: int | None = None
    top: int | None = None
    seeds: int | None = None
    clock: Callable[[], float] = time.monotonic

    @property
    def total(self) -> float:
        """The seconds of all steps."""
        return sum(self.seconds.values())

    def of(self, step: str) -> float:
        """Return the seconds that a step has taken."""
        return self.seconds.get(step, 0.0)

    def timer(self, step: str) -> Callable[[], None]:
        """Return a function that adds the time since it was last called to a step's, on disk.

        Called every few seconds, a process that is killed loses no more than these.
        """
        last = self.clock()

        def add() -> None:
            nonlocal last
            now = self.clock()
            self.seconds[step] = self.of(step) + now - last
            last = now
            self.write()

        return add

    def write(self) -> None:
        """Replace the file. Raises FileError."""
        record = {name: getattr(self, name) for name in KINDS}
        with writing("hydra.sweep.dir", self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path) as temporary:
                temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_ledger(home: Path) -> Ledger:
    """Return a study's ledger, an empty one where there is none. Raises QuestionError."""
    path = home / ANSWER
    if not path.exists():
        return Ledger(path)
    try:
        found = parse_json(text_of(path))
        check_kinds(found, KINDS, ("seconds",))
    except (OSError, ValueError) as error:
        raise QuestionError(
            f"{path} is damaged ({one_line(error)}): delete it; the hours then count anew, and "
            "what was searched is kept"
        ) from error
    return Ledger(
        path,
        dict(found["seconds"]),
        answered=found.get("answered"),
        epochs=found.get("epochs"),
        top=found.get("top"),
        seeds=found.get("seeds"),
    )
