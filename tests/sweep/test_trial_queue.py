"""Who a trial belongs to, when sweeps share a study."""

from contextlib import nullcontext

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.leases import JOB, SWEEP, this_process
from mnist_sweep.sweep.proposals import Proposal
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.trial_queue import Supply, Taken

# A process of this machine that has ended, and one that lives and is not this one.
GONE = {**this_process(), "pid": 2**22 + 1, "count": 0}
ALIVE = {**this_process(), "pid": 1, "started": psutil.Process(1).create_time(), "count": 0}


class Asking:
    """A proposer whose gate lets everything pass."""

    def propose(self, trial):
        return Proposal(trial, [], Verdict())

    def exhausted(self):
        return False


class Silent:
    """A progress that says nothing."""

    def __getattr__(self, name):
        return lambda *arguments: None


@pytest.fixture
def supply():
    made = []

    def make(study, total=3):
        made.append(Supply(study, nullcontext, Asking(), Silent(), Settings(), total, lambda: None))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def study():
    return optuna.create_study()


def take_over(study, trial):
    """What another machine's sweep does with a trial whose sweep it takes for dead."""
    studies.set_aside(study, trial._trial_id)
    taken = study.ask()
    assert taken.number == trial.number
    other = {"host": "elsewhere", "pid": 1, "started": 0.0, "count": 0}
    study._storage.set_trial_system_attr(taken._trial_id, SWEEP, other)


def test_no_more_trials_are_given_out_than_the_total(supply, study):
    ours, theirs = supply(study), supply(study)
    given = [ours.next(), theirs.next(), ours.next()]
    assert [proposal.trial.number for proposal in given] == [0, 1, 2]
    assert ours.next() is None
    ours.settle(given[0], studies.COMPLETE, None, [1.0])
    assert theirs.next() is None


def test_a_trial_that_another_sweep_has_taken_over_is_neither_told_nor_set_aside(supply, study):
    ours = supply(study)
    proposal = ours.next()
    take_over(study, proposal.trial)
    with pytest.raises(Taken):
        ours.settle(proposal, studies.COMPLETE, None, [1.0])
    ours.close()
    assert study.trials[0].state == TrialState.RUNNING


def test_a_trial_that_waits_to_be_taken_over_is_not_told_either(supply, study):
    ours = supply(study)
    proposal = ours.next()
    studies.set_aside(study, proposal.trial._trial_id)
    with pytest.raises(Taken):
        ours.settle(proposal, studies.COMPLETE, None, [1.0])
    assert studies.status(study.trials[0]) == studies.INTERRUPTED


def test_closing_leaves_what_is_open_to_be_gone_on_with(supply, study):
    ours = supply(study)
    ours.next()
    ours.close()
    assert studies.status(study.trials[0]) == studies.INTERRUPTED
    again = supply(study).next()
    assert again.trial.number == 0


def test_a_trial_without_a_process_is_gone_on_with_before_new_ones(supply, study):
    left = study.ask()
    left.suggest_float("x", 0, 1)
    study._storage.set_trial_system_attr(left._trial_id, SWEEP, GONE)
    proposal = supply(study).next()
    assert proposal.trial.number == left.number
    assert study.trials[0].params == left.params


def test_what_is_settled_by_a_try_whose_answer_was_lost_is_settled(supply, study):
    ours = supply(study)
    proposal = ours.next()
    studies.end(study, proposal.trial, studies.COMPLETE, None, [1.0])
    ours.settle(proposal, studies.COMPLETE, None, [1.0])
    assert ours.open == {}
    assert study.trials[0].value == 1.0


@pytest.mark.parametrize(
    ("job", "runs"), [(None, False), (GONE, False), (this_process(), False), (ALIVE, True)]
)
def test_a_job_that_its_launcher_gave_up_may_run_as_long_as_its_process(supply, study, job, runs):
    ours = supply(study)
    proposal = ours.next()
    study._storage.set_trial_system_attr(proposal.trial._trial_id, JOB, job)
    assert ours.may_still_run(proposal) is runs


def test_a_job_that_outlives_its_sweep_keeps_its_trial(supply, study):
    ours = supply(study)
    proposal = ours.next()
    study._storage.set_trial_system_attr(proposal.trial._trial_id, JOB, ALIVE)
    ours.close()
    assert study.trials[0].state == TrialState.RUNNING
    study._storage.set_trial_system_attr(proposal.trial._trial_id, SWEEP, GONE)
    later = supply(study, total=1)
    assert later.next() is None
    assert later.may_come_back()  # for nobody else is going to tell what it comes to
    study._storage.set_trial_system_attr(proposal.trial._trial_id, JOB, GONE)
    assert later.next().trial.number == 0


def test_another_sweeps_trial_does_not_come_back_while_that_sweep_lives(supply, study):
    ours, theirs = supply(study, total=1), supply(study, total=1)
    trial = theirs.next().trial
    study._storage.set_trial_system_attr(trial._trial_id, JOB, GONE)
    assert not ours.may_come_back()


def test_a_trial_that_is_given_out_again_has_no_job_yet(supply, study):
    ours = supply(study)
    ours.next()
    assert not ours.has_begun()
    study._storage.set_trial_system_attr(study.trials[0]._trial_id, JOB, GONE)
    assert ours.has_begun()
    ours.close()
    later = supply(study)
    assert later.next().trial.number == 0
    assert not later.has_begun()


class Refusing:
    """A proposer whose proposals are no valid runs."""

    def propose(self, trial):
        return Proposal(trial, [], None, "no such setting")

    def exhausted(self):
        return False


class Noting:
    """A progress that notes what it is told."""

    def __init__(self):
        self.said = []

    def __getattr__(self, name):
        return lambda *arguments: self.said.append((name, *arguments))


def test_a_proposal_that_is_no_valid_run_is_refused_everywhere(study):
    progress, settings = Noting(), Settings(max_failure_rate=0.25)
    supply = Supply(study, nullcontext, Refusing(), progress, settings, 8, lambda: None)
    with pytest.raises(SweepError) as error:
        supply.next()
    supply.close()
    assert str(error.value) == (
        "error: 3 proposals refused, more than hydra.sweeper.max_failure_rate=0.25 of 8 allows; "
        "the last one: no such setting"
    )
    assert progress.said == [("refused", number, "no such setting") for number in range(3)]
    assert studies.counts(study) == {studies.REFUSED: 3}


def test_failures_and_refusals_are_counted_apart_and_limited_together(supply, study):
    ours = supply(study)
    ours.settings.max_failure_rate, ours.total = 0.2, 10
    ours.fail(0, "diverged")
    ours.refuse(1, "no such setting")
    with pytest.raises(SweepError, match="2 trials failed and 1 proposal refused, more than"):
        ours.fail(2, "diverged")


class Rejecting:
    """A proposer whose gate lets nothing pass, until it is asked to look for what does."""

    def __init__(self, found=None):
        self.found, self.probes = found, []

    def propose(self, trial):
        trial.suggest_float("x", 0, 1)
        verdict = Verdict({"size": 7.0}, reason="7 over")
        trial.set_constraint("size", 7.0)
        trial.set_user_attr("reason", "7 over")
        return Proposal(trial, [], verdict)

    def exhausted(self):
        return False

    def probe(self, draws):
        self.probes.append(draws)
        return self.found, Verdict({"size": 3.0}, reason="3 over")


def test_a_space_with_nothing_that_fits_ends_after_a_few_trials(study):
    proposer = Rejecting()
    supply = Supply(study, nullcontext, proposer, Silent(), Settings(), 3, lambda: None)
    with pytest.raises(SweepError, match="among 5 proposals and 300 more draws; the closest has 3"):
        supply.next()
    supply.close()
    assert studies.counts(study) == {studies.REJECTED: 5}


def test_what_a_look_at_the_space_finds_is_tried_next(study):
    settings = Settings(max_rejections=7)
    proposer = Rejecting({"x": 0.25})
    supply = Supply(study, nullcontext, proposer, Silent(), settings, 3, lambda: None)
    with pytest.raises(SweepError, match="7 proposals in a row"):
        supply.next()
    supply.close()
    assert len(proposer.probes) == 1
    assert study.trials[5].params == {"x": 0.25}


class Exhausted(Asking):
    """A proposer whose space has been tried."""

    def exhausted(self):
        return True


def test_an_exhausted_space_ends_the_sweep_and_says_so(study):
    ended, progress = studies.end, Noting()
    trial = study.ask()
    ended(study, trial, studies.COMPLETE, None, [1.0])
    supply = Supply(study, nullcontext, Exhausted(), progress, Settings(), 3, lambda: None)
    assert supply.next() is None
    supply.close()
    assert progress.said == [("over", "every configuration of the search space has been tried")]
    assert len(study.trials) == 1
