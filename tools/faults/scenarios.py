"""All scenarios, in the order in which they are played."""

from mnist_sweep.sweep.storage import JOURNAL
from tools.faults.checks import SQLITE
from tools.faults.kills import random_kills
from tools.faults.scenario import Lab, Outcome, Scenario

SHARES = 5  # scenarios that kill at random


def _kills(lab: Lab, address: str, sweeps: int = 1) -> Outcome:
    kills = max(1, lab.kills // SHARES)
    return random_kills(lab, lambda number: address, kills, sweeps)


SCENARIOS = (
    Scenario("kill sqlite", lambda lab: _kills(lab, f"{SQLITE}multirun/optuna.db")),
    Scenario("kill journal", lambda lab: _kills(lab, f"{JOURNAL}multirun/study.log")),
    Scenario("kill two sqlite", lambda lab: _kills(lab, f"{SQLITE}multirun/optuna.db", 2)),
    Scenario("kill two journal", lambda lab: _kills(lab, f"{JOURNAL}multirun/study.log", 2)),
)
