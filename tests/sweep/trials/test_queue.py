"""Who a trial belongs to, when sweeps share a study."""

from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from types import SimpleNamespace

import optuna
import psutil
import pytest
from optuna.samplers import GridSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from mnist_sweep.errors import LeaseLost
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.leases import JOB, SWEEP, Lease, this_process
from mnist_sweep.sweep.trials.proposals import Proposal
from mnist_sweep.sweep.trials.queue import Limits, NoTrial, TrialQueue
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.retries import DEATHS, Deaths
from mnist_sweep.sweep.trials.status import (
    GATE,
    TrialStatus,
    attributes_of,
    status_of,
    was_launched,
)
from mnist_sweep.sweep.trials.tally import Tally
from tests.conftest import prepare

# A process of this machine that has ended, and one that lives and is not this one.
GONE = {**this_process(), "pid": 2**22 + 1, "count": 0}
ALIVE = {**this_process(), "pid": 1, "started": psutil.Process(1).create_time(), "count": 0}


class Passing:
    """A proposer whose gate lets everything pass."""

    def __init__(self, exhausted=False):
        self.is_exhausted, self.proposed = exhausted, []

    def propose(self, trial):
        self.proposed.append(trial.number)
        trial.suggest_float("x", 0, 1)
        return Proposal([], Verdict(), trial=trial)

    def exhausted(self):
        return self.is_exhausted


class Rejecting(Passing):
    """A proposer whose gate lets nothing pass."""

    def propose(self, trial):
        trial.set_constraint("size", 7.0)
        trial.set_user_attr(GATE, {"reason": "7 over"})
        return Proposal([], Verdict({"size": 7.0}, reason="7 over"), trial=trial)


class Refusing(Passing):
    """A proposer whose proposals are no valid runs."""

    def propose(self, trial):
        return Proposal([], None, "no such setting", trial=trial)


class Shared:
    """A study, and queues of it that each have opened it for themselves."""

    def __init__(self, storage, sampler=None):
        self.storage, self.queues = storage, []
        self.study = optuna.create_study(study_name="s", storage=storage, sampler=sampler)
        self.records = TrialRecords(self.study, storage)

    def queue(
        self,
        total=3,
        proposer=None,
        lock=nullcontext,
        on_launch=lambda: None,
        check=lambda: None,
        wanted=None,
        points=None,
    ):
        study = optuna.load_study(study_name="s", storage=self.storage, sampler=self.study.sampler)
        made = TrialQueue(
            TrialRecords(study, self.storage),
            Tally(study),
            lock,
            proposer or Passing(),
            Limits(total, wanted or total, points),
            120.0,
            SimpleNamespace(check=check, record=on_launch),
        )
        self.queues.append(made)
        return made

    def status(self, number=0):
        return status_of(self.records.read(number))

    def left(self, *, deaths=None, reports=0, launched=True, owner=GONE):
        """A running trial whose sweep has gone, after some epochs and deaths."""
        trial = self.study.ask()
        trial.suggest_float("x", 0, 1)
        for step in range(1, reports + 1):
            trial.report(0.5, step)
        if launched:
            self.records.mark(trial.number, SWEEP, owner)
        if deaths is not None:
            self.records.mark(trial.number, DEATHS, asdict(deaths))
        return trial.number


@pytest.fixture(params=["memory", "journal:///studies.log", "sqlite:///studies.db"])
def shared(request):
    """A study in each kind of storage."""
    prepare(request.param)
    storage = None if request.param == "memory" else open_storage(request.param)
    made = Shared(InMemoryStorage() if storage is None else storage.optuna)
    yield made
    for queue in made.queues:
        queue.close()
    if storage is not None:
        storage.close()


@pytest.fixture
def memory():
    """A study in memory, for what is no matter of the storage."""
    made = Shared(InMemoryStorage())
    yield made
    for queue in made.queues:
        queue.close()


def test_two_queues_of_a_study_give_out_no_more_than_the_total(shared):
    ours, theirs = shared.queue(), shared.queue()
    given = [ours.next(), theirs.next(), ours.next()]
    assert [proposal.number for proposal in given] == [0, 1, 2]
    assert ours.next() == theirs.next() == NoTrial()
    ours.tell(0, TrialStatus.COMPLETE, None, [1.0])
    assert theirs.next() == NoTrial()
    theirs.tell(1, TrialStatus.FAILED, "diverged")
    ours.tell(2, TrialStatus.PRUNED, "pruned after epoch 1")
    assert ours.next() == theirs.next() == NoTrial()
    assert Tally(shared.study).launched == len(shared.study.trials) == 3


def test_what_is_given_out_is_open_launched_and_in_this_sweeps_name(shared):
    ours = shared.queue()
    proposal = ours.next()
    assert ours.open == {0: proposal}
    record = shared.records.read(0).system_attrs[SWEEP]
    assert this_process().items() <= record.items()
    assert shared.status() == TrialStatus.RUNNING


def test_a_trial_is_given_out_and_told_under_the_studys_lock(memory):
    events = []

    @contextmanager
    def lock():
        events.append("locked")
        yield
        events.append("unlocked")

    ours = memory.queue(lock=lock, on_launch=lambda: events.append("launched"))
    ours.next()
    assert events == ["locked", "launched", "unlocked"]
    events.clear()
    ours.tell(0, TrialStatus.COMPLETE, None, [1.0])
    assert events == ["locked", "unlocked"]
    assert ours.open == {}


@pytest.mark.parametrize(
    ("proposer", "status", "state", "attributes"),
    [
        (Rejecting(), TrialStatus.REJECTED, TrialState.PRUNED, {"reason": "7 over"}),
        (
            Refusing(),
            TrialStatus.REFUSED,
            TrialState.FAIL,
            {"status": "refused", "reason": "no such setting"},
        ),
    ],
    ids=["rejected", "refused"],
)
def test_what_does_not_pass_ends_and_is_not_launched(shared, proposer, status, state, attributes):
    ours = shared.queue(proposer=proposer, on_launch=pytest.fail)
    proposal = ours.next()
    assert proposal.reason == attributes["reason"]
    trial = shared.records.read(0)
    assert (status_of(trial), trial.state) == (status, state)
    assert attributes_of(trial) == attributes
    assert ours.open == {}
    assert not was_launched(trial)
    assert Tally(shared.study).launched == 0


def test_a_proposal_that_fails_to_be_made_waits_and_is_made_again(shared):
    class Broken(Passing):
        def propose(self, trial):
            super().propose(trial)
            raise SweepError("no gate")

    with pytest.raises(SweepError, match="no gate"):
        shared.queue(proposer=Broken()).next()
    assert shared.status() == TrialStatus.QUEUED
    assert shared.queue().next().number == 0


def test_a_launch_that_fails_to_be_recorded_leaves_nothing_open(shared):
    failures = [KeyboardInterrupt()]

    def on_launch():
        if failures:
            raise failures.pop()

    ours = shared.queue(on_launch=on_launch)
    with pytest.raises(KeyboardInterrupt):
        ours.next()
    assert ours.open == {}
    assert shared.status() == TrialStatus.QUEUED
    assert ours.next().number == 0


def test_nothing_is_asked_where_another_sweep_has_begun_another_search(shared):
    def check():
        raise SweepError("another search")

    with pytest.raises(SweepError, match="another search"):
        shared.queue(check=check).next()
    assert shared.study.get_trials() == []


def test_a_trial_that_is_put_back_waits_for_whoever_asks_next(shared):
    ours, theirs = shared.queue(), shared.queue()
    number = ours.next().number
    ours.put_back(number)
    assert ours.open == {}
    assert shared.status(number) == TrialStatus.INTERRUPTED
    assert theirs.next().number == number


@pytest.mark.parametrize(("total", "launches"), [(3, 0), (3, 1), (1, 1)])
def test_an_exhausted_space_is_said(memory, total, launches):
    for _ in range(launches):
        number = memory.left()
        memory.study.tell(number, 1.0)
    # A space that had less left than was asked for when the sweep began has a lower total.
    ours = memory.queue(total=total, wanted=3, proposer=Passing(exhausted=True))
    assert ours.next() == NoTrial(exhausted=True)
    assert len(memory.study.trials) == launches


def test_a_study_that_has_what_was_asked_for_is_not_said_to_be_exhausted(memory):
    memory.study.tell(memory.left(), 1.0)
    assert memory.queue(total=1, proposer=Passing(exhausted=True)).next() == NoTrial()


def test_what_waits_is_given_out_though_all_has_been_tried(memory):
    memory.study.enqueue_trial({"x": 0.5})
    proposal = memory.queue(proposer=Passing(exhausted=True)).next()
    assert proposal.trial.params == {"x": 0.5}


def test_a_grid_ends_with_its_last_point():
    grid = Shared(InMemoryStorage(), GridSampler({"x": [0.0, 1.0]}, seed=0))
    ours = grid.queue(total=9, points=2)
    assert sorted(ours.next().trial.params["x"] for _ in range(2)) == [0, 1]
    assert ours.next() == NoTrial()
    for number in range(2):
        ours.tell(number, TrialStatus.COMPLETE, None, [1.0])
    ours.close()
    assert Tally(grid.study).counts == {TrialStatus.COMPLETE: 2}


def test_an_abandoned_trial_is_found_with_its_death_counted(shared):
    shared.left(reports=4)
    shared.left(deaths=Deaths(2, 4), reports=4)
    shared.left(launched=False)  # its sweep died over the proposal
    shared.left(owner=ALIVE)
    assert list(shared.queue().abandoned()) == [
        (0, Deaths(1, 4)),
        (1, Deaths(3, 4)),
        (2, Deaths(0, 0)),
    ]


def test_what_this_sweep_has_open_is_not_abandoned(shared):
    ours = shared.queue()
    ours.next()
    shared.records.mark(0, SWEEP, GONE)
    assert list(ours.abandoned()) == []
    assert [number for number, _ in shared.queue().abandoned()] == [0]


def test_another_machines_trial_is_abandoned_when_it_is_silent_for_the_grace_period(memory):
    memory.left(owner={"host": "elsewhere", "pid": 1, "started": 0.0, "count": 0})
    ours, now = memory.queue(), [1000.0]
    ours.owners.clock = lambda: now[0]
    assert list(ours.abandoned()) == []
    now[0] += 119
    assert list(ours.abandoned()) == []
    now[0] += 1
    assert list(ours.abandoned()) == [(0, Deaths(1, 0))]


def test_an_abandoned_trial_is_resumed_with_what_it_has_before_new_ones(shared):
    shared.left(reports=4)
    x = shared.records.read(0).params["x"]
    ours = shared.queue()
    ((number, deaths),) = ours.abandoned()
    assert ours.requeue(number, deaths)
    assert shared.status() == TrialStatus.INTERRUPTED
    assert shared.records.read(0).system_attrs[DEATHS] == {"count": 1, "reports": 4}
    proposal = ours.next()
    assert (proposal.number, proposal.trial.params) == (0, {"x": x})
    assert len(shared.records.read(0).intermediate_values) == 4
    assert list(shared.queue().abandoned()) == []


def test_a_proposal_that_was_never_launched_waits_without_a_death(shared):
    shared.left(launched=False)
    ours = shared.queue()
    assert ours.requeue(0, Deaths())
    assert shared.status() == TrialStatus.QUEUED
    assert DEATHS not in shared.records.read(0).system_attrs


def test_an_abandoned_trial_that_is_given_up_has_failed(shared):
    shared.left(deaths=Deaths(2))
    assert shared.queue().give_up(0, "its process died 3 times in a row")
    trial = shared.records.read(0)
    assert (status_of(trial), trial.state) == (TrialStatus.FAILED, TrialState.FAIL)
    assert trial.user_attrs["reason"] == "its process died 3 times in a row"


TAKING_OVER = {
    "requeue": lambda queue: queue.requeue(0, Deaths(1)),
    "give_up": lambda queue: queue.give_up(0, "died"),
}


@pytest.mark.parametrize("take_over", TAKING_OVER.values(), ids=TAKING_OVER)
@pytest.mark.parametrize(
    ("meanwhile", "status"),
    [
        (lambda shared: shared.records.mark(0, SWEEP, ALIVE), TrialStatus.RUNNING),
        (lambda shared: shared.records.mark(0, JOB, ALIVE), TrialStatus.RUNNING),
        (lambda shared: shared.study.tell(0, 1.0), TrialStatus.COMPLETE),
        (lambda shared: shared.records.wait(0), TrialStatus.INTERRUPTED),
    ],
    ids=["alive", "its job is alive", "ended", "requeued"],
)
def test_what_is_abandoned_no_more_once_the_lock_is_had_is_left_alone(
    shared, take_over, meanwhile, status
):
    @contextmanager
    def lock():
        meanwhile(shared)
        yield

    shared.left()
    ours = shared.queue(lock=lock)
    assert list(ours.abandoned()) == [(0, Deaths(1))]
    assert take_over(ours) is False
    trial = shared.records.read(0)
    assert status_of(trial) == status
    assert DEATHS not in trial.system_attrs
    assert trial.user_attrs == {}


@pytest.mark.parametrize("take_over", TAKING_OVER.values(), ids=TAKING_OVER)
def test_a_trial_that_ends_just_then_without_the_lock_is_left_alone(memory, take_over, monkeypatch):
    memory.left()
    ours = memory.queue()
    read = ours.records.read

    def read_before_it_ends(number):
        trial = read(number)
        memory.study.tell(0, 1.0)
        return trial

    monkeypatch.setattr(ours.records, "read", read_before_it_ends)
    assert take_over(ours) is False
    assert memory.status() == TrialStatus.COMPLETE


def test_deaths_are_counted_in_the_study_over_restarts_until_an_epoch_more_is_reported(shared):
    shared.left(reports=1)

    def restart():
        """A sweep takes the trial over, and dies."""
        ours = shared.queue()
        ((number, deaths),) = ours.abandoned()
        assert ours.requeue(number, deaths)
        proposal = ours.next()
        ours.forget(number)
        shared.records.mark(number, SWEEP, GONE)
        return proposal.trial, deaths.count

    assert [restart()[1] for _ in range(3)] == [1, 2, 3]
    trial, count = restart()
    assert count == 4
    trial.report(0.5, 2)
    assert [restart()[1] for _ in range(2)] == [1, 2]


def test_deaths_of_this_sweeps_own_processes_are_counted_with_those_of_others(shared):
    shared.left(deaths=Deaths(1, 2), reports=2)
    ours = shared.queue()
    assert ours.requeue(0, Deaths(2, 2))
    trial = ours.next().trial
    assert ours.count_death(0) == Deaths(3, 2)
    ours.record_deaths(0, Deaths(3, 2))
    assert ours.count_death(0) == Deaths(4, 2)
    trial.report(0.5, 3)
    assert ours.count_death(0) == Deaths(1, 3)


def test_deaths_of_a_trial_that_another_sweep_has_are_not_recorded(shared):
    ours = shared.queue()
    ours.next()
    take_over(shared)
    ours.record_deaths(0, Deaths(1))
    assert DEATHS not in shared.records.read(0).system_attrs


def take_over(shared, number=0):
    """What another sweep does with a trial whose sweep it takes for dead."""
    shared.records.wait(number)
    taken = shared.study.ask()
    assert taken.number == number
    Lease(shared.records, number, SWEEP).acquire()


LOST = {
    "taken over": take_over,
    "waiting to be": lambda shared: shared.records.wait(0),
    "taken over and ended": lambda shared: (take_over(shared), shared.study.tell(0, 2.0)),
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
def test_a_trial_that_another_sweep_has_is_not_told_and_nothing_of_it_changes(shared, lose):
    ours = shared.queue()
    ours.next()
    lose(shared)
    before = shared.study.get_trials()[0]
    with pytest.raises(LeaseLost, match="trial 0 belongs to another sweep"):
        ours.check(0)
    for status, values in ((TrialStatus.COMPLETE, [1.0]), (TrialStatus.FAILED, None)):
        with pytest.raises(LeaseLost, match="trial 0 belongs to another sweep"):
            ours.tell(0, status, "reason", values)
    ours.close()
    assert shared.study.get_trials()[0] == before


def test_a_trial_of_a_lost_lease_is_open_until_it_is_forgotten(memory):
    ours = memory.queue()
    ours.next()
    take_over(memory)
    with pytest.raises(LeaseLost):
        ours.tell(0, TrialStatus.FAILED, "reason")
    assert list(ours.open) == [0]
    ours.forget(0)
    assert ours.open == {}
    assert memory.status() == TrialStatus.RUNNING


def test_what_a_sweep_holds_passes_its_check(shared):
    ours = shared.queue()
    proposal = ours.next()
    ours.check(0)
    study_store.tell_end(shared.study, proposal.trial, TrialStatus.COMPLETE, None, [1.0])
    ours.check(0)  # told by a try whose answer was lost


def test_what_is_told_by_a_try_whose_answer_was_lost_is_told(shared):
    ours = shared.queue()
    proposal = ours.next()
    study_store.tell_end(shared.study, proposal.trial, TrialStatus.COMPLETE, None, [1.0])
    ours.tell(0, TrialStatus.COMPLETE, None, [1.0])
    assert ours.open == {}
    assert shared.study.trials[0].value == 1.0


def test_closing_leaves_what_is_open_to_be_resumed(shared):
    ours = shared.queue()
    for _ in range(2):
        ours.next()
    ours.close()
    assert [shared.status(number) for number in range(2)] == [TrialStatus.INTERRUPTED] * 2
    assert ours.open == {}
    assert not ours.heartbeat.thread.is_alive()


def test_what_was_left_is_given_out_first(shared):
    ours = shared.queue()
    params = ours.next().trial.params
    ours.close()
    again = shared.queue().next()
    assert (again.number, again.trial.params) == (0, params)


@pytest.mark.parametrize(
    ("job", "runs"), [(None, False), (GONE, False), (this_process(), False), (ALIVE, True)]
)
def test_a_job_that_its_backend_gave_up_may_run_as_long_as_its_process(memory, job, runs):
    ours = memory.queue()
    ours.next()
    memory.records.mark(0, JOB, job)
    assert ours.may_still_run(0) is runs
    ours.close()
    assert memory.status() == (TrialStatus.RUNNING if runs else TrialStatus.INTERRUPTED)


def test_a_job_that_outlives_its_sweep_keeps_its_trial_until_it_has_ended(shared):
    ours = shared.queue()
    ours.next()
    shared.records.mark(0, JOB, ALIVE)
    ours.close()
    assert shared.status() == TrialStatus.RUNNING
    shared.records.mark(0, SWEEP, GONE)
    later = shared.queue(total=1)
    assert list(later.abandoned()) == []
    assert later.next() == NoTrial()
    assert later.may_come_back()  # for nobody else is going to tell what it comes to
    shared.records.mark(0, JOB, GONE)
    assert later.requeue(0, Deaths(1))
    assert later.next().number == 0


def test_another_sweeps_trial_does_not_come_back_while_that_sweep_lives(shared):
    ours, theirs = shared.queue(total=1), shared.queue(total=1)
    theirs.next()
    shared.records.mark(0, JOB, GONE)
    assert not ours.may_come_back()
    assert not theirs.may_come_back()  # its own is no other's


def test_a_trial_that_is_given_out_again_has_no_job_yet(shared):
    ours = shared.queue()
    ours.next()
    assert not ours.has_begun()
    shared.records.mark(0, JOB, GONE)
    assert ours.has_begun()
    ours.close()
    later = shared.queue()
    assert later.next().number == 0
    assert not later.has_begun()
    assert not shared.records.read(0).system_attrs[JOB]


def test_the_sampler_draws_no_trial_anew_that_is_given_out_again(memory):
    memory.study.sampler = RandomSampler(seed=0)
    proposer = Passing()
    ours = memory.queue(proposer=proposer)
    first = ours.next().trial.params
    ours.close()
    again = memory.queue(proposer=proposer)
    assert again.next().trial.params == first
    assert proposer.proposed == [0, 0]
