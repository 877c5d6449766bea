"""How hours are divided."""

from dataclasses import replace

import pytest

from mnist_sweep.best.allowance import (
    CONFIRMING,
    Costs,
    allow,
    rounded_up,
    seeds_that_fit,
    shortened,
)
from mnist_sweep.best.question import QuestionError

COSTS = Costs(trial=60.0, workers=2, share=0.5, start_up=10.0)


def test_confirming_gets_what_its_runs_take_and_the_search_the_rest() -> None:
    allowance = allow(3.0, 20.0, COSTS, arms=5, seeds=10)
    assert allowance.confirm == 10 + 25 * 60
    assert allowance.search == 3 * 3600 - 20 - 30 - allowance.confirm


def test_confirming_gets_no_more_than_its_share() -> None:
    allowance = allow(0.5, 20.0, COSTS, arms=5, seeds=10)
    assert allowance.confirm == pytest.approx(CONFIRMING * (1800 - 50))


def test_too_few_hours_are_refused_with_how_many_would_do_which_do() -> None:
    with pytest.raises(QuestionError, match=r"hours=0\.01 is too short: a trial takes about 1m00s"):
        allow(0.01, 20.0, COSTS, arms=5, seeds=10)
    with pytest.raises(QuestionError) as raised:
        allow(0.01, 20.0, COSTS, arms=5, seeds=10)
    enough = float(str(raised.value).partition("at least hours=")[2].partition(",")[0])
    allow(enough, 20.0, COSTS, arms=5, seeds=10)


def test_a_search_that_has_begun_is_not_given_up_because_the_machine_is_slower() -> None:
    allowance = allow(0.01, 20.0, COSTS, arms=5, seeds=10, begun=True)
    assert allowance.search == 0
    assert allow(0.1, 20.0, COSTS, arms=5, seeds=10, begun=True).search > 0


def enough(costs: Costs) -> bool:
    """Whether a tenth of an hour has room for ten trials, and for confirming."""
    try:
        return costs.trials_in(allow(0.1, 20.0, costs, arms=5, seeds=10).search) >= 10
    except QuestionError:
        return False


def test_trials_are_made_as_short_as_ten_of_them_need() -> None:
    found = shortened(0.1, 20.0, COSTS, arms=5, seeds=10, epochs=20)
    assert found is not None
    epochs, costs = found
    assert costs.trial == 60 * epochs / 20
    assert enough(costs)
    assert not enough(replace(costs, trial=60 * (epochs + 1) / 20))


def test_hours_that_are_too_few_for_one_epoch_have_no_shorter_trials() -> None:
    assert shortened(0.01, 20.0, COSTS, arms=5, seeds=10, epochs=20) is None


def test_pruning_makes_room_for_more_trials() -> None:
    assert COSTS.trials_in(610) == 40
    assert Costs(trial=60.0, workers=2).trials_in(600) == 20


@pytest.mark.parametrize(("seconds", "seeds"), [(10, 0), (10 + 5 * 60, 2), (10_000, 7)])
def test_seeds_are_what_the_time_is_enough_for(seconds: float, seeds: int) -> None:
    assert seeds_that_fit(seconds, COSTS, arms=5, seeds=7) == seeds


@pytest.mark.parametrize(
    ("hours", "text"), [(0.041, "0.05"), (0.31, "0.4"), (11.2, "12"), (0.05, "0.05")]
)
def test_hours_are_rounded_up(hours: float, text: str) -> None:
    assert rounded_up(hours) == text
