"""All scenarios, in the order in which they are played."""

import math
from collections.abc import Callable

from mnist_sweep.sweep.storage import JOURNAL
from tools.faults import machine, storages, training
from tools.faults.checks import SQLITE
from tools.faults.kills import random_kills
from tools.faults.scenario import Lab, Outcome, Scenario

SHARES = 6  # of the kills: on three storages, by one sweep of a study and by two


def _kills(address: str, sweeps: int) -> Callable[[Lab], Outcome]:
    return lambda lab: random_kills(lab, lambda number: address, _share(lab), sweeps)


def _kills_on_postgresql(sweeps: int) -> Callable[[Lab], Outcome]:
    return lambda lab: storages.killed_on_postgresql(lab, _share(lab), sweeps)


def _share(lab: Lab) -> int:
    return math.ceil(lab.kills / SHARES)


FILE, LOG = f"{SQLITE}multirun/optuna.db", f"{JOURNAL}multirun/study.log"

SCENARIOS = (
    Scenario("kill one sweep, sqlite", _kills(FILE, 1)),
    Scenario("kill one sweep, journal", _kills(LOG, 1)),
    Scenario("kill one sweep, postgresql", _kills_on_postgresql(1)),
    Scenario("kill two sweeps, sqlite", _kills(FILE, 2)),
    Scenario("kill two sweeps, journal", _kills(LOG, 2)),
    Scenario("kill two sweeps, postgresql", _kills_on_postgresql(2)),
    Scenario("stopped past the lease", machine.stopped),
    Scenario("full disk, sqlite", lambda lab: machine.full_disk(lab, FILE)),
    Scenario("full disk, journal", lambda lab: machine.full_disk(lab, LOG)),
    Scenario("read-only runs", machine.read_only_runs),
    Scenario("locked database", storages.locked),
    Scenario("restarted postgresql", storages.restarted),
    Scenario("deleted run directory", machine.deleted_run),
    Scenario("clock set", machine.clock_set),
    Scenario("no file descriptors", machine.no_descriptors),
    Scenario("unwritable tmp", machine.unwritable_tmp),
    Scenario("truncated checkpoint", training.truncated_checkpoint),
    Scenario("little address space", training.little_memory),
    Scenario("workers out of memory", training.killed_workers),
    Scenario("odd models", training.odd_models),
)
