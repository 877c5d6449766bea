"""What can happen to the storage alone: a database that is locked, a server that restarts."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tools.faults.checks import SQLITE
from tools.faults.kills import random_kills
from tools.faults.machine import begun, conclude, under
from tools.faults.postgresql import server
from tools.faults.scenario import Lab, Outcome
from tools.faults.sweeps import Study, wait_until

DATABASE = "multirun/optuna.db"
LOCKED = 62.0  # seconds; SQLite itself waits for 60


def locked(lab: Lab, seconds: float = LOCKED) -> Outcome:
    """Lock the database for longer than SQLite waits for it, while trials run."""
    study = Study(lab.folder / "runs", f"{SQLITE}{DATABASE}")
    path = study.folder / DATABASE
    return under(study, _lock(path), lambda sweep: time.sleep(seconds))


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def restarted(lab: Lab) -> Outcome:
    """Restart PostgreSQL three times, at random moments, while trials run."""
    outcome = Outcome()
    with server() as running:
        for number in range(3):
            study = Study(lab.folder / str(number), running.create(f"restart{number}"))
            sweep = study.start()
            wait_until(begun(study))
            wait_until(lambda: False, lab.random.uniform(0, 0.5))
            running.restart()
            conclude(study, sweep, {}, outcome)
            lab.say(f"{number + 1}/3: {outcome.said}")
    return outcome


def killed_on_postgresql(lab: Lab, kills: int, sweeps: int) -> Outcome:
    """Kill at random the sweeps of studies in PostgreSQL, each in a database of its own."""
    with server() as running:
        return random_kills(lab, lambda number: running.create(f"kills{number}"), kills, sweeps)
