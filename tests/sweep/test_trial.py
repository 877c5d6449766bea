import json
import math
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import optuna
import psutil
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from optuna.exceptions import StorageInternalError
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.storages import InMemoryStorage

from mnist_sweep.config_checks import check
from mnist_sweep.errors import LeaseLost, MachineError
from mnist_sweep.run.execute import execute
from mnist_sweep.sweep import sweeper, trial
from mnist_sweep.sweep.storage import reopen
from mnist_sweep.sweep.trial import STOP_REASON, SWEEPER, Reporter, reporting
from mnist_sweep.sweep.trials.leases import JOB, SWEEP, Heartbeat, Lease, is_alive, this_process
from mnist_sweep.sweep.trials.records import TrialRecords
from tests.conftest import read_json_lines


class Stops(BasePruner):
    """Prunes from a step on, and notes at which steps it was asked."""

    def __init__(self, first=math.inf):
        self.first, self.asked = first, []

    def prune(self, study, trial):
        self.asked.append(trial.last_step)
        return trial.last_step >= self.first


class Begun:
    """A trial that runs under a pruner, given out by a sweep, with as many reporters as asked."""

    def __init__(self, pruner, hearts, **directions):
        storage = InMemoryStorage()
        directions = directions or {"direction": "maximize"}
        self.study = optuna.create_study(storage=storage, pruner=pruner, **directions)
        self.study.ask()
        self.pruner, self.hearts = pruner, hearts
        self.records = TrialRecords(self.study, storage)
        self.give_out()

    def give_out(self):
        """Have a sweep take the trial, as another one does that found its processes dead."""
        Lease(self.records, 0, SWEEP).acquire()

    def reporter(self):
        """Another process's reporter of the trial, with its lease."""
        self.hearts.append(Heartbeat(3600))
        reporter = Reporter(self.records, 0, self.hearts[-1])
        self.hearts[-1].acquire(reporter.lease)
        return reporter

    @property
    def reports(self):
        return self.records.read(0).intermediate_values

    @property
    def attributes(self):
        return self.records.read(0).system_attrs


@pytest.fixture
def begin():
    """Return a function from a pruner to a trial that runs."""
    hearts = []
    yield lambda pruner, **directions: Begun(pruner, hearts, **directions)
    for heart in hearts:
        heart.close()


def test_each_epoch_is_reported_and_the_pruner_asked(begin):
    trial = begin(Stops())
    reporter = trial.reporter()
    assert [reporter.report(value, step) for step, value in enumerate([0.5, 0.75], 1)] == [None] * 2
    assert trial.reports == {1: 0.5, 2: 0.75}
    assert trial.pruner.asked == [1, 2]


def test_an_epoch_is_reported_once(begin):
    trial = begin(Stops())
    reporter = trial.reporter()
    reporter.report(0.5, 1)
    reporter.report(0.25, 1)
    assert trial.reports == {1: 0.5}
    assert trial.pruner.asked == [1]


def test_a_resumed_trial_reports_the_epochs_that_are_new(begin):
    trial = begin(Stops())
    before = trial.reporter()
    before.report(0.5, 1)
    before.report(0.6, 2)
    after = trial.reporter()
    # Its last checkpoint is of epoch 1, so that epoch 2 is trained once more.
    assert [after.report(0.625, 2), after.report(0.7, 3)] == [None, None]
    assert trial.reports == {1: 0.5, 2: 0.6, 3: 0.7}
    assert trial.pruner.asked == [1, 2, 3]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_reported_and_the_pruner_not_asked(begin, value):
    trial = begin(Stops(first=1))
    assert trial.reporter().report(value, 1) is None
    assert trial.reports == {}
    assert trial.pruner.asked == []


def test_one_objective_of_several_is_not_reported_and_the_pruner_not_asked(begin):
    trial = begin(Stops(first=1), directions=["maximize", "minimize"])
    assert trial.reporter().report(0.5, 1) is None
    assert trial.reports == {}
    assert trial.pruner.asked == []


def test_a_stop_says_which_pruner_stopped_it_where(begin):
    reporter = begin(Stops(first=2)).reporter()
    assert reporter.report(0.9, 1) is None
    assert reporter.report(0.123456789, 2) == "Stops pruned it at 0.12346 after epoch 2"


def test_a_stop_is_left_in_the_study_for_the_sweep(begin):
    trial = begin(Stops(first=1))
    reason = trial.reporter().report(0.5, 1)
    assert trial.attributes[STOP_REASON] == reason is not None


def test_a_stop_is_remembered_by_a_later_process_of_the_same_trial(begin):
    trial = begin(Stops(first=2))
    before = trial.reporter()
    before.report(0.5, 1)
    reason = before.report(0.5, 2)
    after = trial.reporter()
    assert after.stopped == after.report(0.5, 2) == reason
    assert trial.pruner.asked == [1, 2]
    assert begin(Stops()).reporter().stopped is None


def test_a_job_without_a_step_to_save_is_not_stopped(begin):
    trial = begin(Stops(first=1))
    assert trial.reporter().report(0.5, 20, may_stop=False) is None
    assert trial.reports == {20: 0.5}
    assert trial.pruner.asked == []
    assert STOP_REASON not in trial.attributes


@pytest.mark.parametrize("taken", ["by a job", "by a sweep", "by a sweep that ended it"])
def test_a_job_that_lost_its_trial_hears_of_it_and_changes_nothing(begin, taken):
    trial = begin(Stops())
    old = trial.reporter()
    old.check()
    old.report(0.5, 1)
    if taken != "by a job":
        trial.give_out()
    new = trial.reporter()
    if taken == "by a sweep that ended it":
        trial.study.tell(0, 0.5)
    else:
        new.check()
    before = trial.records.read(0)
    for _ in range(2):
        with pytest.raises(LeaseLost, match="trial 0 was taken over by another process"):
            old.report(0.9, 2)
        with pytest.raises(LeaseLost):
            old.check()
    old.lease.release()
    assert trial.records.read(0) == before
    assert trial.pruner.asked == [1]


def test_a_storage_that_stays_silent_is_the_machines_refusal_and_no_failure_of_the_job(
    begin, monkeypatch
):
    job = begin(NopPruner()).reporter()

    def silent(call):
        raise StorageInternalError("invalid data, perhaps") from OSError("database is locked")

    monkeypatch.setattr(trial, "with_backoff", silent)
    with pytest.raises(MachineError, match="does not answer its job: database is locked"):
        job.report(0.5, 1)


def test_a_stop_is_not_left_to_whoever_runs_the_trial_by_then(begin):
    trial = begin(Stops(first=1))
    old = trial.reporter()
    trial.give_out()
    trial.reporter()
    with pytest.raises(LeaseLost):
        old.report(0.5, 1)
    assert STOP_REASON not in trial.attributes


def test_the_heartbeat_tells_the_reporter_that_its_lease_is_lost(begin):
    trial = begin(Stops())
    heart = Heartbeat(0.04)
    trial.hearts.append(heart)
    reporter = Reporter(trial.records, 0, heart)
    heart.acquire(reporter.lease)
    assert not reporter.lost
    trial.give_out()
    deadline = time.monotonic() + 10
    while not reporter.lost:
        assert time.monotonic() < deadline
        time.sleep(0.001)


STORAGE = "journal:///studies.log"
JOB_OF_OURS = {"study": "s", "trial": 1, "epochs": 5}


@pytest.fixture(autouse=True)
def _closed(monkeypatch):
    """Storages that are opened by a test, or by a job in it, are closed when it ends."""
    opened = []

    def open_noted(address, base):
        opened.append(reopen(address, base))
        return opened[-1]

    monkeypatch.setattr(trial, "reopen", open_noted)
    yield
    reopen.cache_clear()
    for storage in opened:
        storage.close()


@pytest.fixture
def hydra(monkeypatch, tmp_path):
    """Return a function that sets what Hydra tells a job about its sweeper."""

    def configure(**settings):
        ours = {"_target_": SWEEPER, "storage": STORAGE, "pruner": None, "grace_period": 120.0}
        config = {"sweeper": ours | settings, "runtime": {"cwd": str(tmp_path)}}
        monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create(config))

    return configure


@contextmanager
def reported(config):
    with reporting(OmegaConf.create(config)) as reporter:
        yield reporter


def create(tmp_path, address=STORAGE, **settings):
    """The records of a study with two trials that its sweep has given out."""
    storage = trial.reopen(address, str(tmp_path)).optuna
    records = TrialRecords(
        optuna.create_study(study_name="s", storage=storage, **settings), storage
    )
    for number in range(2):
        records.study.ask()
        Lease(records, number, SWEEP).acquire()
    return records


def test_the_sweeper_is_known_by_its_name():
    assert f"{sweeper.__name__}.{sweeper.BudgetSweeper.__qualname__}" == SWEEPER


@pytest.mark.parametrize("address", [STORAGE, "sqlite:///studies.db"])
def test_a_job_reports_to_its_own_trial_from_wherever_it_runs(
    hydra, tmp_path, monkeypatch, address
):
    hydra(storage=address)
    records = create(tmp_path, address)
    # hydra.job.chdir=true has a job run in its own directory.
    (tmp_path / "multirun").mkdir()
    monkeypatch.chdir(tmp_path / "multirun")
    reopen.cache_clear()
    with reported(JOB_OF_OURS) as reporter:
        assert reporter.report(0.5, 1) is None
    assert [t.intermediate_values for t in records.study.trials] == [{}, {1: 0.5}]


def test_a_job_has_a_lease_on_its_trial_as_long_as_it_runs(hydra, tmp_path):
    hydra()
    records = create(tmp_path)
    threads = threading.active_count()
    with reported(JOB_OF_OURS):
        record = records.study.trials[1].system_attrs[JOB]
        assert {key: record[key] for key in this_process()} == this_process()
        assert is_alive(record)
        assert threading.active_count() == threads + 1
    assert records.study.trials[1].system_attrs[JOB] is None
    assert JOB not in records.study.trials[0].system_attrs
    assert threading.active_count() == threads


def test_a_job_that_raises_leaves_no_heartbeat(hydra, tmp_path):
    hydra()
    create(tmp_path)
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="out of memory"), reported(JOB_OF_OURS):
        raise RuntimeError("out of memory")
    assert threading.active_count() == threads


@pytest.mark.parametrize("storage", [STORAGE, "sqlite:///studies.db"])
def test_a_job_of_a_trial_that_has_ended_stops_and_leaves_no_thread(hydra, tmp_path, storage):
    hydra(storage=storage)
    records = create(tmp_path, storage)
    records.study.tell(1, 0.5)
    threads = threading.active_count()
    with pytest.raises(LeaseLost, match="trial 1 was taken over"), reported(JOB_OF_OURS):
        pytest.fail("it began")
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("pruner", "kind"),
    [
        (None, NopPruner),
        ({"_target_": "optuna.pruners.MedianPruner"}, MedianPruner),
    ],
)
def test_a_job_asks_its_sweepers_pruner(hydra, tmp_path, pruner, kind):
    hydra(pruner=pruner)
    create(tmp_path)
    with reported(JOB_OF_OURS) as reporter:
        assert type(reporter.trial.study.pruner) is kind


def test_a_job_of_several_objectives_has_a_lease_and_reports_none_of_them(hydra, tmp_path):
    hydra()
    records = create(tmp_path, directions=["maximize", "minimize"])
    with reported(JOB_OF_OURS) as reporter:
        assert reporter.report(0.5, 1) is None
        assert is_alive(records.read(1).system_attrs[JOB])
        Lease(records, 1, SWEEP).acquire()
        with pytest.raises(LeaseLost):
            reporter.check()
    assert records.read(1).intermediate_values == {}


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"}, {}),
        ({"_target_": "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"}, {}),
        ({"storage": None}, {}),
        ({"storage": "sqlite:///:memory:"}, {}),
        ({"storage": "sqlite://"}, {}),
        ({}, {"trial": None}),
    ],
    ids=["the basic sweeper", "the stock one", "no storage", "memory", "memory too", "no trial"],
)
def test_a_job_without_a_study_to_reach_has_no_reporter(hydra, tmp_path, settings, config):
    hydra(**settings)
    records = create(tmp_path)
    with reported(JOB_OF_OURS | config) as reporter:
        assert reporter is None
    assert not any(JOB in t.system_attrs for t in records.study.trials)


def test_a_task_that_knows_no_trials_has_no_reporter(hydra, tmp_path):
    hydra()
    create(tmp_path)
    with reported({"epochs": 5}) as reporter:
        assert reporter is None


def test_a_sweeper_without_a_storage_setting_has_no_reporter(hydra, monkeypatch):
    config = OmegaConf.create({"sweeper": {"_target_": SWEEPER}, "runtime": {"cwd": "."}})
    monkeypatch.setattr(HydraConfig, "get", lambda: config)
    monkeypatch.setattr(trial, "reopen", pytest.fail)
    with reported(JOB_OF_OURS) as reporter:
        assert reporter is None


ELSEWHERE = {**this_process(), "pid": 1, "started": psutil.Process(1).create_time()}


def test_a_job_that_comes_too_late_leaves_its_trial_to_the_process_that_has_it(
    hydra, tmp_path, caplog
):
    hydra()
    records = create(tmp_path)
    records.mark(1, JOB, ELSEWHERE)
    with pytest.raises(LeaseLost, match="trial 1 was taken over"), reported(JOB_OF_OURS):
        pytest.fail("it began")
    assert records.read(1).system_attrs[JOB] == ELSEWHERE
    assert "trial 1 was taken over by another process" in caplog.text
    records.mark(1, JOB, None)
    records.wait(1)
    with pytest.raises(LeaseLost), reported(JOB_OF_OURS):
        pytest.fail("it began")


def test_a_job_that_was_launched_under_a_lease_of_before_leaves_the_trial_alone(hydra, tmp_path):
    """It waited in a cluster's queue while another sweep took the trial over, on any machine."""
    hydra()
    records = create(tmp_path)
    first, second = Lease(records, 1, SWEEP), Lease(records, 1, SWEEP)
    first.acquire()
    second.acquire()
    late = OmegaConf.merge(JOB_OF_OURS, {"lease": first.token})
    with pytest.raises(LeaseLost, match="trial 1 was taken over"), reported(late):
        pytest.fail("it began")
    assert JOB not in records.read(1).system_attrs
    with reported(OmegaConf.merge(JOB_OF_OURS, {"lease": second.token})) as reporter:
        reporter.check()


@pytest.mark.parametrize("address", [STORAGE, "sqlite:///studies.db"])
def test_a_job_that_lost_its_trial_leaves_the_new_jobs_lease_alone(hydra, tmp_path, address):
    hydra(storage=address)
    records = create(tmp_path, address)
    with reported(JOB_OF_OURS) as old:
        records.mark(1, JOB, None)
        Lease(records, 1, SWEEP).acquire()
        with reported(JOB_OF_OURS) as new:
            with pytest.raises(LeaseLost):
                old.report(0.5, 1)
            assert new.report(0.25, 1) is None
            token = new.lease.token
            assert records.read(1).system_attrs[JOB]["token"] == token
            new.lease.acquire()
            old.lease.release()
            new.check()
    assert records.read(1).intermediate_values == {1: 0.25}


class Job:
    """A job of trial 0: a run in the trial's directory, with a reporter of its own."""

    def __init__(self, storage, config, kind=Reporter):
        study = optuna.load_study(study_name="s", storage=storage, pruner=NopPruner())
        self.records, self.config = TrialRecords(study, storage), config
        self.heartbeat = Heartbeat(0.04)
        self.reporter = kind(self.records, 0, self.heartbeat)
        self.heartbeat.acquire(self.reporter.lease)

    def run(self):
        execute(
            self.config,
            Path("run"),
            name="linear",
            resume=False,
            sweep="s",
            reporter=self.reporter,
        )


def files():
    """What a run's directory holds, byte for byte."""
    return {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}


@pytest.mark.parametrize("address", [STORAGE, "sqlite:///studies.db"])
@pytest.mark.parametrize("wakes", ["at the end of an epoch", "in the middle of an epoch"])
def test_a_job_that_slept_while_another_was_given_its_trial_writes_nothing_more(
    composed, tmp_path, monkeypatch, address, wakes
):
    """Its machine slept through the grace period: another sweep has requeued the trial."""
    config = check(
        composed("model=linear", "data=mnist_5k", "tracking=none", "epochs=4", "batch_size=500",
                 "study=s", "trial=0")
    )  # fmt: skip
    storage = trial.reopen(address, str(tmp_path)).optuna
    records = create(tmp_path, address)
    seen, jobs = [], []
    half_way, go_on = threading.Event(), threading.Event()

    def sleep():
        """Sleep until another job is half way through the trial."""
        records.wait(0)
        records.study.ask()
        Lease(records, 0, SWEEP).acquire()
        records.mark(0, JOB, None)
        new = Job(storage, config)
        report = new.reporter.report

        def reported(value, step, may_stop=True):
            stop = report(value, step, may_stop)
            if step == 3:
                half_way.set()
                assert go_on.wait(60)
            return stop

        monkeypatch.setattr(new.reporter, "report", reported)
        jobs.append((new, threading.Thread(target=new.run)))
        jobs[0][1].start()
        assert half_way.wait(60)
        seen.append(files())

    batches = iter(range(1000))

    class Sleeps(Reporter):
        def report(self, value, step, may_stop=True):
            if wakes == "at the end of an epoch" and step == 2:
                sleep()
            return super().report(value, step, may_stop)

        @property
        def lost(self):
            if wakes == "in the middle of an epoch" and next(batches) == 11:
                sleep()
                deadline = time.monotonic() + 10
                while not super().lost:
                    assert time.monotonic() < deadline
                    time.sleep(0.001)
            return super().lost

    old = Job(storage, config, Sleeps)
    try:
        with pytest.raises(LeaseLost):
            old.run()
        old.reporter.lease.release()
        old.heartbeat.close()
        assert files() == seen[0]
        ((new, thread),) = jobs
        new.reporter.check()
        assert records.read(0).system_attrs[JOB]["token"] == new.reporter.lease.token
    finally:
        go_on.set()
        for new, thread in jobs:
            thread.join()
            new.heartbeat.close()
        old.heartbeat.close()
    result = json.loads(Path("run/result.json").read_text())
    assert (result["status"], result["epochs"]) == ("complete", 4)
    assert [line["epoch"] for line in read_json_lines(Path("run/metrics.jsonl"))] == [1, 2, 3, 4]
    assert set(records.read(0).intermediate_values) == {1, 2, 3, 4}


def test_a_job_that_is_done_does_not_fail_by_its_storage(hydra, tmp_path, monkeypatch):
    def full(self):
        raise OSError("no space left on device")

    monkeypatch.setattr(Lease, "release", full)
    hydra()
    create(tmp_path)
    with reported(JOB_OF_OURS) as reporter:
        assert reporter is not None
