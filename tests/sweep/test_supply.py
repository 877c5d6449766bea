"""Who a trial belongs to, when sweeps share a study."""

from contextlib import nullcontext

import optuna
import pytest
from optuna.trial import TrialState

from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.processes import SWEEP
from mnist_sweep.sweep.proposals import Proposal
from mnist_sweep.sweep.settings import Settings
from mnist_sweep.sweep.supply import Supply, Taken


class Asking:
    """A proposer whose gate lets everything pass."""

    def propose(self, trial):
        from mnist_sweep.sweep.gate import Verdict

        return Proposal(trial, [], Verdict())


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
    dead = {"host": "", "pid": 0, "started": 0.0, "count": 0}
    from mnist_sweep.sweep.processes import this_process

    dead["host"] = this_process()["host"]
    study._storage.set_trial_system_attr(left._trial_id, SWEEP, dead | {"pid": 2**22 + 1})
    proposal = supply(study).next()
    assert proposal.trial.number == left.number
    assert study.trials[0].params == left.params
