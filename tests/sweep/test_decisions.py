"""The decision table of a sweep: from events to actions, with nothing else at hand."""

import pytest

from mnist_sweep.sweep.decisions import MAX_REFUSALS, Rules, Sweep
from mnist_sweep.sweep.events import (
    Abandoned,
    Abort,
    Ask,
    Died,
    End,
    FindFeasible,
    Forget,
    GiveUp,
    Idle,
    Launch,
    LeaseLost,
    MachineFailed,
    NoneLeft,
    NothingFits,
    Proposed,
    Refused,
    Rejected,
    Requeue,
    Retry,
    Returned,
    SlotFree,
    Stop,
    Tell,
    Told,
    Wait,
)
from mnist_sweep.sweep.trials.retries import Deaths
from mnist_sweep.sweep.trials.status import TrialStatus

COMPLETE = Returned(3, TrialStatus.COMPLETE, None, (0.9,))
PRUNED = Returned(3, TrialStatus.PRUNED, "pruned after epoch 2")
FAILED = Returned(3, TrialStatus.FAILED, "diverged")
TIMED_OUT = Returned(3, TrialStatus.FAILED, "it ran longer than trial_timeout=60 seconds")
BAD_VALUE = Returned(3, TrialStatus.FAILED, "the objective is nan", counts=False)
TRIED = "every configuration of the search space has been tried"


def sweep(*before, **rules):
    """A sweep of 10 trials to which some events have happened."""
    made = Sweep(Rules(total=10, **rules))
    for event in before:
        made.step(event)
    return made


# What has happened before, an event, and what is to be done.
TABLE = {
    "a free slot asks for a trial": ([], SlotFree(5.0), [Ask()]),
    "a proposal that passed is launched": ([], Proposed(3), [Launch(3)]),
    "a rejected proposal is followed by another": ([], Rejected(launched=True), [Ask()]),
    "a refused proposal fails the sweep where none may fail": (
        [Proposed(0)],
        Refused(3, "lr must be above 0"),
        [
            Abort(
                "1 proposal refused, more than hydra.sweeper.max_failure_rate=0 of 10 allows; the "
                "last one: lr must be above 0"
            )
        ],
    ),
    "an end is told": ([Proposed(3)], COMPLETE, [Tell(COMPLETE)]),
    "a pruned trial is told as one": ([Proposed(3)], PRUNED, [Tell(PRUNED)]),
    "a failure is told before it is counted": ([Proposed(3)], FAILED, [Tell(FAILED)]),
    "a trial that ran too long is not retried": ([Proposed(3)], TIMED_OUT, [Tell(TIMED_OUT)]),
    "a complete trial changes nothing else": ([Proposed(3), COMPLETE], Told(COMPLETE), []),
    "a pruned trial is no failure": ([Proposed(3), PRUNED], Told(PRUNED), []),
    "a bad value ends no sweep": ([Proposed(3), BAD_VALUE], Told(BAD_VALUE), []),
    "one failure too many ends the sweep": (
        [Proposed(3), FAILED],
        Told(FAILED),
        [
            Abort(
                "1 trial failed, more than hydra.sweeper.max_failure_rate=0 of 10 allows; the last "
                "one: diverged"
            )
        ],
    ),
    "a trial whose process died is retried": (
        [Proposed(3)],
        Died(3, "SIGKILL", Deaths(1)),
        [Retry(3, "SIGKILL", Deaths(1))],
    ),
    "a trial that kills its processes is given up": (
        [Proposed(3)],
        Died(3, "SIGKILL", Deaths(3)),
        [Tell(Returned(3, TrialStatus.FAILED, "SIGKILL"))],
    ),
    "a launcher that starts nothing ends the sweep": (
        [Proposed(3)],
        Died(3, "no such partition", Deaths(3), began=False),
        [Abort("trial 3 cannot be started: no such partition")],
    ),
    "a machine that refuses a job stops the sweep and fails no trial": (
        [Proposed(3)],
        MachineFailed(3, "No space left on device"),
        [
            Abort(
                "trial 3 cannot continue: No space left on device; when that is mended, the same "
                "command resumes the study"
            )
        ],
    ),
    "a retry waits until the old job is certainly gone": (
        [Proposed(3), Died(3, "SIGKILL", Deaths(1))],
        SlotFree(5.0, retryable=frozenset()),
        [Ask()],
    ),
    "a retry goes before a new trial": (
        [Proposed(3), Died(3, "SIGKILL", Deaths(1))],
        SlotFree(5.0, retryable=frozenset({3})),
        [Launch(3)],
    ),
    "an abandoned trial is requeued": (
        [],
        Abandoned(7, Deaths(2, 4)),
        [Requeue(7, Deaths(2, 4))],
    ),
    "an abandoned trial that kills every process it meets is given up": (
        [],
        Abandoned(7, Deaths(3, 0)),
        [
            GiveUp(
                7,
                "its process died 3 times in a row, more than hydra.sweeper.max_retries=2 allows",
            )
        ],
    ),
    "a trial that another sweep has is left to it": ([Proposed(3)], LeaseLost(3), [Forget(3)]),
    "nothing left to give out is nothing to do": ([Proposed(3)], NoneLeft(), []),
    "an exhausted space is said": ([Proposed(3)], NoneLeft(exhausted=True), [Stop(TRIED)]),
    "an exhausted space of which nothing fits ends the sweep": (
        [],
        NoneLeft(exhausted=True, launched=False, rejected=True),
        [NothingFits(None)],
    ),
    "an exhausted space of which nothing was valid is nothing to do": (
        [],
        NoneLeft(exhausted=True, launched=False),
        [],
    ),
    "an idle sweep ends": ([Proposed(3), COMPLETE], Idle(), [End()]),
    "an idle sweep waits for trials of others": ([], Idle(may_come_back=True), [Wait()]),
    "an idle sweep waits for its retries": (
        [Proposed(3), Died(3, "SIGKILL", Deaths(1))],
        Idle(),
        [Wait()],
    ),
    "a retry that another sweep has taken is not waited for": (
        [Proposed(3), Died(3, "SIGKILL", Deaths(1)), LeaseLost(3)],
        Idle(),
        [End()],
    ),
}


@pytest.mark.parametrize(("before", "event", "expected"), TABLE.values(), ids=TABLE)
def test_the_table_of_decisions(before, event, expected):
    assert sweep(*before).step(event) == expected


def test_a_time_out_stops_launching_and_waits_for_nobody():
    running = sweep(timeout=60.0)
    assert running.step(SlotFree(60.0)) == [Ask()]
    assert running.step(SlotFree(60.1)) == [Stop("timeout=60 seconds have passed")]
    assert running.step(SlotFree(61.0, retryable=frozenset({3}))) == []
    assert running.step(Idle(may_come_back=True)) == [End()]


def test_a_plateau_stops_launching():
    running = sweep(plateau=5)
    assert running.step(SlotFree(1.0, since_best=4)) == [Ask()]
    expected = [Stop("no better trial among the last 5 (plateau)")]
    assert running.step(SlotFree(1.0, since_best=5)) == expected


@pytest.mark.parametrize(
    ("minimize", "best", "over"),
    [
        (False, None, False),
        (False, 0.994, False),
        (False, 0.995, True),
        (False, 0.999, True),
        (True, None, False),
        (True, 0.999, False),
        (True, 0.995, True),
    ],
)
def test_a_target_that_is_reached_stops_launching(minimize, best, over):
    running = sweep(target=0.995, minimize=minimize)
    expected = [Stop(f"the best value, {best}, reaches target=0.995")] if over else [Ask()]
    assert running.step(SlotFree(1.0, best=best)) == expected


def test_too_many_rejections_in_a_row_end_the_sweep_and_a_launch_starts_them_anew():
    running = sweep(max_rejections=3)
    for _ in range(2):
        assert running.step(Rejected(launched=True)) == [Ask()]
    running.step(Proposed(2))
    for _ in range(2):
        assert running.step(Rejected(launched=True)) == [Ask()]
    assert running.step(Rejected(launched=True)) == [NothingFits(3)]


def test_a_study_that_has_launched_nothing_is_probed_once():
    running = sweep()
    found = [running.step(Rejected(launched=False)) for _ in range(7)]
    assert found[4] == [FindFeasible(5), Ask()]
    assert found[:4] + found[5:] == [[Ask()]] * 6


def test_a_grid_is_not_probed_since_it_tries_its_own_points_alone():
    running = sweep(grid=True)
    found = [running.step(Rejected(launched=False)) for _ in range(7)]
    assert found == [[Ask()]] * 7


def test_refusals_at_the_start_are_a_mistake_in_the_search():
    running = sweep(max_failure_rate=1.0)
    for number in range(MAX_REFUSALS - 1):
        assert running.step(Refused(number, "no such model")) == [Ask()]
    assert running.step(Refused(4, "no such model")) == [
        Abort("none of the first 5 proposals is a valid run; the last: no such model")
    ]


def test_refusals_after_a_launch_count_as_failures_alone():
    running = sweep(Proposed(0), max_failure_rate=0.5)
    for number in range(5):
        assert running.step(Refused(number, "lr")) == [Ask()]
    (end,) = running.step(Refused(5, "lr"))
    assert end.message.startswith("6 proposals refused, more than")


def test_failures_and_refusals_are_limited_together_and_named_apart():
    running = sweep(Proposed(0), max_failure_rate=0.2)
    assert running.step(Refused(1, "lr")) == [Ask()]
    assert running.step(Told(FAILED)) == []
    (end,) = running.step(Told(FAILED))
    assert end.message.startswith("2 trials failed and 1 proposal refused, more than")


def test_more_retries_are_a_setting():
    running = sweep(Proposed(3), max_retries=0)
    assert running.step(Died(3, "SIGKILL", Deaths(1))) == [
        Tell(Returned(3, TrialStatus.FAILED, "SIGKILL"))
    ]
