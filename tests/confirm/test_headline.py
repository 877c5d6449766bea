"""A conclusion in a line each: the result, the default, the runner-up."""

from dataclasses import replace

import pytest

from mnist_sweep.confirm.conclusion import Comparison, Conclusion, Standing
from mnist_sweep.confirm.headline import against_default, against_runner_up, result
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.confirm.race import Dropped

AROUND = Interval(0.97, 0.96, 0.98)


def standing(title, **more):
    figures = {"val_acc": AROUND, "val_loss": Interval(0.1, 0.1, 0.1), "test_acc": AROUND}
    return Standing(title, "mine", 9_000, 4, None, [1, 2], [0.96, 0.98], [], **(figures | more))


@pytest.fixture
def conclusion():
    standings = [standing("trial 2"), standing("trial 6"), standing("default")]
    comparisons = [
        Comparison("trial 6", 2, Interval(0.001, -0.01, 0.012)),
        Comparison("default", 2, Interval(0.03, 0.01, 0.05)),
    ]
    return Conclusion(
        "mnist_5k", 500, "val_acc", 0.95, standings, comparisons, [], default="default"
    )


def test_the_result_has_its_interval_seeds_and_images(conclusion):
    assert result(conclusion) == (
        "test accuracy 97.00 ± 1.00% over 2 fresh seeds (95%; 500 test images of mnist_5k)"
    )


def test_the_result_names_the_splits_that_the_seeds_take(conclusion):
    assert "over 2 fresh seeds of 2 splits (95%" in result(replace(conclusion, splits=2))
    assert "over 2 fresh seeds (95%" in result(replace(conclusion, splits=1))


def test_a_default_that_leads_is_no_better_than_the_comparisons_say(conclusion):
    leads = replace(conclusion, default="trial 2")
    assert against_default(leads) == (
        "it is the default configuration: of the 2 compared with it, none is better"
    )
    alone = replace(leads, comparisons=[])
    assert against_default(alone).endswith("no other has enough seeds to compare with it")


def test_the_default_and_the_runner_up_each_have_their_line(conclusion):
    assert against_default(conclusion).startswith("better than the default: +3.00 points")
    assert against_runner_up(conclusion).startswith("cannot be told apart from trial 6: +0.10")


def test_why_there_is_no_default_is_said_where_it_is_known(conclusion):
    without = replace(conclusion, default=None)
    assert against_default(without) == "no default configuration to compare with"
    told = replace(without, no_default="default=false leaves it out")
    assert against_default(told).endswith("to compare with: default=false leaves it out")


def test_a_runner_up_that_is_the_default_is_not_said_twice(conclusion):
    assert against_runner_up(replace(conclusion, default="trial 6")) is None
    alone = replace(conclusion, standings=conclusion.standings[:1], comparisons=[])
    assert against_runner_up(alone) is None


def test_a_runner_up_that_was_dropped_or_lacks_seeds_is_said_to_be(conclusion):
    dropped = Dropped(seeds=3, leader="trial 2", difference=AROUND, level=0.95)
    conclusion.comparisons.pop(0)
    assert against_runner_up(conclusion) == (
        "too few seeds of trial 6 are complete to compare with it"
    )
    conclusion.standings[1] = standing("trial 6", dropped=dropped, test_acc=None)
    assert against_runner_up(conclusion) == (
        "trial 6, the next, fell behind and was dropped after 3 seeds"
    )
