import math
import threading
from contextlib import contextmanager

import optuna
import psutil
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import Trial, TrialState

from mnist_sweep.sweep import sweeper, trial
from mnist_sweep.sweep.leases import JOB, SignsOfLife, is_alive, this_process
from mnist_sweep.sweep.storage import reopen
from mnist_sweep.sweep.trial import OURS, PRUNED, Reporter, TakenOver, reporting


class Stops(BasePruner):
    """Prunes from a step on, and notes at which steps it was asked."""

    def __init__(self, first=math.inf):
        self.first, self.asked = first, []

    def prune(self, study, trial):
        self.asked.append(trial.last_step)
        return trial.last_step >= self.first


def begin(pruner):
    """A trial that runs, under a pruner."""
    return optuna.create_study(direction="maximize", pruner=pruner).ask()


def again(trial):
    """The same trial, as another process gets it."""
    return Trial(trial.study, trial._trial_id)


def recorded(trial):
    return trial.storage.get_trial(trial._trial_id).intermediate_values


def test_each_epoch_is_reported_and_the_pruner_asked():
    trial = begin(Stops())
    reporter = Reporter(trial)
    assert [reporter.report(value, step) for step, value in enumerate([0.5, 0.75], 1)] == [None] * 2
    assert recorded(trial) == {1: 0.5, 2: 0.75}
    assert trial.study.pruner.asked == [1, 2]


def test_an_epoch_is_reported_once():
    trial = begin(Stops())
    reporter = Reporter(trial)
    reporter.report(0.5, 1)
    reporter.report(0.25, 1)
    assert recorded(trial) == {1: 0.5}
    assert trial.study.pruner.asked == [1]


def test_a_trial_that_goes_on_after_an_interruption_reports_the_epochs_that_are_new():
    trial = begin(Stops())
    before = Reporter(trial)
    before.report(0.5, 1)
    before.report(0.6, 2)
    after = Reporter(again(trial))
    # Its last checkpoint is of epoch 1, so that epoch 2 is trained once more.
    assert [after.report(0.625, 2), after.report(0.7, 3)] == [None, None]
    assert recorded(trial) == {1: 0.5, 2: 0.6, 3: 0.7}
    assert trial.study.pruner.asked == [1, 2, 3]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_reported_and_the_pruner_not_asked(value):
    trial = begin(Stops(first=1))
    assert Reporter(trial).report(value, 1) is None
    assert recorded(trial) == {}
    assert trial.study.pruner.asked == []


def test_a_stop_says_which_pruner_stopped_it_where():
    reporter = Reporter(begin(Stops(first=2)))
    assert reporter.report(0.9, 1) is None
    assert reporter.report(0.123456789, 2) == "Stops pruned it at 0.12346 after epoch 2"


def test_a_stop_is_left_in_the_study_for_the_sweeper():
    trial = begin(Stops(first=1))
    reason = Reporter(trial).report(0.5, 1)
    assert trial.storage.get_trial(trial._trial_id).system_attrs[PRUNED] == reason is not None


def test_a_stop_is_remembered_by_a_later_process_of_the_same_trial():
    trial = begin(Stops(first=2))
    before = Reporter(trial)
    before.report(0.5, 1)
    reason = before.report(0.5, 2)
    after = Reporter(again(trial))
    assert after.stopped == after.report(0.5, 2) == reason
    assert trial.study.pruner.asked == [1, 2]
    assert Reporter(trial.study.ask()).stopped is None


def test_a_job_without_a_step_to_save_is_not_stopped():
    trial = begin(Stops(first=1))
    assert Reporter(trial).report(0.5, 20, may_stop=False) is None
    assert recorded(trial) == {20: 0.5}
    assert trial.study.pruner.asked == []
    assert PRUNED not in trial.storage.get_trial(trial._trial_id).system_attrs


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
        if storage.engine is not None:
            storage.optuna.remove_session()
            storage.engine.dispose()


@pytest.fixture
def hydra(monkeypatch, tmp_path):
    """Return a function that sets what Hydra tells a job about its sweeper."""

    def configure(**settings):
        ours = {"_target_": OURS, "storage": STORAGE, "pruner": None, "grace_period": 120.0}
        config = {"sweeper": ours | settings, "runtime": {"cwd": str(tmp_path)}}
        monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create(config))

    return configure


@contextmanager
def reported(config):
    with reporting(OmegaConf.create(config)) as reporter:
        yield reporter


def create(tmp_path, address=STORAGE, **settings):
    """A study with two trials that run, as its sweep has created it."""
    study = optuna.create_study(
        study_name="s", storage=trial.reopen(address, str(tmp_path)).optuna, **settings
    )
    for _ in range(2):
        study.ask()
    return study


def test_the_sweeper_is_known_by_its_name():
    assert f"{sweeper.__name__}.{sweeper.BudgetSweeper.__qualname__}" == OURS


@pytest.mark.parametrize("address", [STORAGE, "sqlite:///studies.db"])
def test_a_job_reports_to_its_own_trial_from_wherever_it_runs(
    hydra, tmp_path, monkeypatch, address
):
    hydra(storage=address)
    study = create(tmp_path, address)
    # hydra.job.chdir=true has a job run in its own directory.
    (tmp_path / "multirun").mkdir()
    monkeypatch.chdir(tmp_path / "multirun")
    reopen.cache_clear()
    with reported(JOB_OF_OURS) as reporter:
        assert reporter.report(0.5, 1) is None
    assert [t.intermediate_values for t in study.trials] == [{}, {1: 0.5}]


def test_a_job_signs_its_trial_as_long_as_it_runs(hydra, tmp_path):
    hydra()
    study = create(tmp_path)
    threads = threading.active_count()
    with reported(JOB_OF_OURS):
        record = study.trials[1].system_attrs[JOB]
        assert {key: record[key] for key in this_process()} == this_process()
        assert is_alive(record)
        assert threading.active_count() == threads + 1
    assert study.trials[1].system_attrs[JOB] is None
    assert JOB not in study.trials[0].system_attrs
    assert threading.active_count() == threads


def test_a_job_that_raises_gives_no_more_signs(hydra, tmp_path):
    hydra()
    create(tmp_path)
    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="out of memory"), reported(JOB_OF_OURS):
        raise RuntimeError("out of memory")
    assert threading.active_count() == threads


def test_a_trial_that_has_ended_cannot_be_signed_and_leaves_no_thread(hydra, tmp_path):
    hydra()
    study = create(tmp_path)
    study.tell(1, 0.5)
    threads = threading.active_count()
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError), reported(JOB_OF_OURS):
        pass
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


def test_a_job_of_several_objectives_signs_its_trial_and_reports_to_nobody(hydra, tmp_path):
    hydra()
    study = create(tmp_path, directions=["maximize", "minimize"])
    with reported(JOB_OF_OURS) as reporter:
        assert reporter is None
        assert JOB in study.trials[1].system_attrs


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
    study = create(tmp_path)
    with reported(JOB_OF_OURS | config) as reporter:
        assert reporter is None
    assert not any(JOB in t.system_attrs for t in study.trials)


def test_a_task_that_knows_no_trials_has_no_reporter(hydra, tmp_path):
    hydra()
    create(tmp_path)
    with reported({"epochs": 5}) as reporter:
        assert reporter is None


def test_a_sweeper_without_a_storage_setting_has_no_reporter(hydra, monkeypatch):
    config = OmegaConf.create({"sweeper": {"_target_": OURS}, "runtime": {"cwd": "."}})
    monkeypatch.setattr(HydraConfig, "get", lambda: config)
    monkeypatch.setattr(trial, "reopen", pytest.fail)
    with reported(JOB_OF_OURS) as reporter:
        assert reporter is None


ELSEWHERE = {**this_process(), "pid": 1, "started": psutil.Process(1).create_time()}


def test_a_job_that_comes_too_late_leaves_its_trial_to_the_process_that_has_it(hydra, tmp_path):
    hydra()
    study = create(tmp_path)
    trial_id = study.trials[1]._trial_id
    study._storage.set_trial_system_attr(trial_id, JOB, ELSEWHERE)
    with (
        pytest.raises(TakenOver, match="trial 1 is not this job's any more"),
        reported(JOB_OF_OURS),
    ):
        pass
    assert study.trials[1].system_attrs[JOB] == ELSEWHERE
    study._storage.set_trial_system_attr(trial_id, JOB, None)
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)
    with pytest.raises(TakenOver), reported(JOB_OF_OURS):
        pass


def test_a_job_that_is_done_does_not_fail_by_its_storage(hydra, tmp_path, monkeypatch):
    def full(self, trial_id):
        raise OSError("no space left on device")

    monkeypatch.setattr(SignsOfLife, "withdraw", full)
    hydra()
    create(tmp_path)
    with reported(JOB_OF_OURS) as reporter:
        assert reporter is not None
