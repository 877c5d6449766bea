"""How often a trial asks its storage, by kind of call: none more, however many trials there are.

docs/load.md lists the numbers. A change of them is to be a decision.
"""

from collections import Counter
from contextlib import nullcontext
from itertools import pairwise
from types import SimpleNamespace

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage

from mnist_sweep.sweep.callbacks import DataCheck
from mnist_sweep.sweep.console import Console
from mnist_sweep.sweep.engine import Engine
from mnist_sweep.sweep.kept_files import KeptFiles
from mnist_sweep.sweep.opening import Chosen
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.untried import Points
from mnist_sweep.sweep.summary import SummaryFile
from mnist_sweep.sweep.trial import Reporter
from mnist_sweep.sweep.trials.leases import SWEEP, Heartbeat, Lease
from mnist_sweep.sweep.trials.proposals import GatedSpace, Proposer
from mnist_sweep.sweep.trials.queue import Limits, TrialQueue
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.tally import Tally
from tests.sweep.test_engine_on_a_fake_backend import CONFIG, FakeBackend

NEVER = 1e6  # seconds until a heartbeat

# One trial in the sweep's process, of one searched setting and without a gate.
OF_A_SWEEP = {
    "get_all_trials": 3,  # ours before a trial is given out and after it was told; Optuna's queue
    "get_trial": 7,
    "get_study_user_attrs": 1,
    "get_study_directions": 1,
    "get_trial_id_from_study_id_trial_number": 1,
    "create_new_trial": 1,
    "set_trial_param": 1,
    "set_trial_system_attr": 1,  # the lease
    "set_trial_user_attr": 2,  # the overrides, and the status
    "set_trial_state_values": 1,
}
# A job from its lease to the end of that; and each report between, beside what its pruner asks.
OF_A_JOB = {"get_trial": 3, "set_trial_system_attr": 2}
OF_A_REPORT = {"get_trial": 1, "set_trial_intermediate_value": 1}


class CountingStorage(InMemoryStorage):
    """Notes the names of the calls that come to it, but not of those that it makes itself."""

    def __init__(self):
        super().__init__()
        self.calls = []


def counting(name):
    """A method of the storage's interface that notes its name."""
    inner = getattr(InMemoryStorage, name)

    def method(self, *arguments, **named):
        if name != "check_trial_is_updatable":  # which other storages do not have
            self.calls.append(name)
        return inner(self, *arguments, **named)

    return method


for name in vars(BaseStorage):
    if not name.startswith("_"):
        setattr(CountingStorage, name, counting(name))


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def calls_of_a_sweep(total, slots, directory, storage=None, script=None):
    """Run a sweep with all that listens to one; return the calls in their order."""
    storage = CountingStorage() if storage is None else storage
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler, storage=storage, direction="maximize")
    records, tally = TrialRecords(study, storage), Tally(study)
    space, current = parse_space({}, None, ["x=interval(0,1)"]), BaseConfig(CONFIG)
    gated_space = GatedSpace(space, current, None, None, None)
    proposer = Proposer(records, gated_space, 0, Points(tally, space, current))
    limits = Limits(total, total)
    claim = SimpleNamespace(check=lambda: None, record=lambda: None)
    queue = TrialQueue(records, tally, nullcontext, proposer, limits, NEVER, claim)
    given = SimpleNamespace(
        settings=Settings(n_trials=total, max_failure_rate=1.0),
        task=SimpleNamespace(
            names_trials=False, lease_overrides=lambda token: [], objectives=["value"], budget=None
        ),
        directory=directory,
        program=SimpleNamespace(ours=False, command=str, entry=str, for_study=str),
    )
    chosen = Chosen("RandomSampler", "NopPruner", "a fake", slots, [], [], None, None)
    opened = SimpleNamespace(
        study=study,
        tally=tally,
        queue=queue,
        gated_space=gated_space,
        total=total,
        chosen=chosen,
    )
    callbacks = [
        DataCheck(study),
        SummaryFile(tally, None, directory),
        KeptFiles(tally, directory, None),
        Console(opened, given),
    ]
    Engine(given, opened, FakeBackend(script, slots), callbacks).run(lambda: False)
    assert tally.finished == total
    return storage.calls


@pytest.mark.parametrize("slots", [1, 20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_trial_asks_the_storage_as_often_whatever_the_number_of_workers(slots, tmp_path):
    few, more = (Counter(calls_of_a_sweep(n * slots, slots, tmp_path)) for n in (1, 2))
    assert {name: count / slots for name, count in (more - few).items()} == OF_A_SWEEP


def test_the_last_of_many_trials_asks_the_same_in_the_same_order_as_the_second(tmp_path):
    calls = calls_of_a_sweep(60, 1, tmp_path)
    begins = [place for place, name in enumerate(calls) if name == "create_new_trial"]
    trials = [calls[begin:end] for begin, end in pairwise(begins)]
    assert all(trial == trials[1] for trial in trials[1:])


def test_a_job_asks_the_storage_as_often_at_each_report():
    storage = CountingStorage()
    study = optuna.create_study(storage=storage, pruner=optuna.pruners.NopPruner())
    records, heartbeat = TrialRecords(study, storage), Heartbeat(NEVER)
    counted = {}
    for reports in (0, 1, 50):
        number = study.ask().number
        Lease(records, number, SWEEP).acquire()
        storage.calls.clear()
        reporter = Reporter(records, number, heartbeat)
        heartbeat.acquire(reporter.lease)
        for step in range(reports):
            reporter.report(0.5, step)
        reporter.lease.release()
        counted[reports] = Counter(storage.calls)
    heartbeat.close()
    assert counted[0] == OF_A_JOB
    assert counted[1] - counted[0] == OF_A_REPORT
    each = {name: count / 49 for name, count in (counted[50] - counted[1]).items()}
    assert each == OF_A_REPORT
