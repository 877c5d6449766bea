"""Injects faults into sweeps, and says what survived; exit code 1 if anything was lost.

python -m tools.faults                 all scenarios
python -m tools.faults only=clock      those whose name contains a word
python -m tools.faults kills=12 seed=1 fewer kills, at other moments
python -m tools.faults keep=folder     leaves what the sweeps wrote, and printed, in a new folder
"""

import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.cli import arguments
from mnist_sweep.errors import UserError
from tools.faults.scenario import Lab, Outcome, Scenario, Skipped, line_of, summary
from tools.faults.scenarios import SCENARIOS
from tools.faults.sweeps import end_all


@dataclass
class Faults:
    """The settings of the harness. `kills` is shared by the scenarios that kill at random."""

    seed: int = 0
    kills: int = 100
    only: str = ""
    keep: str = ""


def main(given: Faults) -> None:
    """Play the scenarios one after another. Raises UserError for what names none."""
    if given.kills < 1:
        raise UserError(f"kills={given.kills} injects nothing; give 1 or more")
    chosen = [scenario for scenario in SCENARIOS if given.only in scenario.name]
    if not chosen:
        names = ", ".join(scenario.name for scenario in SCENARIOS)
        raise UserError(f"only={given.only} names no scenario; there are {names}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the sweeps end with it
    outcomes: list[Outcome] = []
    skipped = 0
    with _folder(given.keep) as folder:
        for scenario in chosen:
            outcome = _play(scenario, given, folder / scenario.name.replace(" ", "-"))
            skipped += outcome is None
            outcomes += [outcome] if outcome is not None else []
    print(summary(outcomes, skipped), flush=True)
    if any(outcome.lost for outcome in outcomes):
        sys.exit(1)


def _play(scenario: Scenario, given: Faults, folder: Path) -> Outcome | None:
    """Play one scenario and print its line; None where it cannot be played here."""
    folder.mkdir(parents=True)
    # Its own random numbers: the kills of one are the same whichever others are played.
    numbers = random.Random(f"{given.seed} {scenario.name}")
    started = time.monotonic()
    say = _progress(scenario.name, started)
    try:
        outcome = scenario.play(Lab(folder, numbers, say, given.kills))
    except Skipped as reason:
        print(f"{scenario.name}: skipped, {reason}", flush=True)
        return None
    finally:
        end_all()
    print(line_of(scenario.name, outcome, time.monotonic() - started), flush=True)
    for line in outcome.lost:
        print(f"  lost: {line}", flush=True)
    return outcome


def _progress(name: str, started: float) -> Callable[[str], None]:
    def say(text: str) -> None:
        print(f"  {time.monotonic() - started:4.0f} s  {name}: {text}", file=sys.stderr, flush=True)

    return say


@contextmanager
def _folder(keep: str) -> Iterator[Path]:
    """Yield an empty folder; one that is named by `keep` stays."""
    if keep:
        path = Path(keep).resolve()
        if path.exists() and any(path.iterdir()):
            raise UserError(f"keep={keep} is not empty; name a new folder")
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


if __name__ == "__main__":
    arguments.run(Faults, __doc__ or "", main)
