"""Who is dropped and when, from scores made by hand; benchmarks/race.py has simulated truths."""

import numpy as np
import pytest

from mnist_sweep.confirm.intervals import LEVEL
from mnist_sweep.confirm.race import SHARES, Rival, drops, level_of, rounds
from mnist_sweep.confirm.scores import Scored

IMAGES = 400


def arm(accuracies, seed=0, ended=None):
    """An arm whose seeds, from 0 on, have about these accuracies; None where one diverged."""
    rng = np.random.default_rng(seed)
    scores = {
        n: Scored((rng.random(IMAGES) < accuracy).astype(float), "images", 0)
        for n, accuracy in enumerate(accuracies)
        if accuracy is not None
    }
    return Rival(frozenset(range(len(accuracies) if ended is None else ended)), scores)


@pytest.mark.parametrize(
    ("seeds", "ends"),
    [(2, [2]), (3, [2, 3]), (4, [2, 3, 4]), (5, [2, 3, 5]), (12, [2, 3, 5, 10, 12])],
)
def test_rounds_end_after_2_3_5_10_seeds_and_after_the_last(seeds, ends):
    assert rounds(seeds) == ends


def test_the_error_of_all_decisions_together_is_five_per_cent():
    assert sum(SHARES.values()) == pytest.approx(1.0)
    spent = [(1 - level_of(after, 4)) / 2 * 3 for after in SHARES]  # to one side, of 3 others
    assert sum(spent) == pytest.approx(1 - LEVEL)


def test_an_arm_far_behind_is_dropped_and_a_close_one_is_not():
    arms = {
        "best": arm([0.99] * 5, 1),
        "close": arm([0.988] * 5, 2),
        "far": arm([0.6, 0.62, 0.61, 0.6, 0.6], 3),
    }
    found = drops(arms, range(10))
    assert list(found) == ["far"]
    assert found["far"].leader in ("best", "close")
    assert found["far"].level == level_of(found["far"].seeds, 3)
    assert found["far"].difference.low > 0


def test_nothing_is_decided_after_the_last_round_or_before_all_have_ended_one():
    arms = {"best": arm([0.99] * 5, 1), "far": arm([0.5] * 5, 3)}
    assert drops(arms, range(5)).keys() <= {"far"}
    assert all(each.seeds < 5 for each in drops(arms, range(5)).values())
    late = {**arms, "late": arm([0.98], 4)}
    assert drops(late, range(10)) == {}


def test_more_seeds_later_reach_the_same_decisions_and_go_on():
    arms = {"best": arm([0.99] * 10, 1), "mid": arm([0.9] * 10, 2), "far": arm([0.4] * 5, 3)}
    few, many = drops(arms, range(6)), drops(arms, range(20))
    assert few["far"] == many["far"]
    assert few["mid"] == many["mid"]


def test_a_dropped_arm_is_not_waited_for():
    arms = {"best": arm([0.99] * 10, 1), "far": arm([0.4] * 5, 3), "mid": arm([0.97] * 10, 2)}
    assert set(drops(arms, range(20))) >= {"far"}
    assert "best" not in drops(arms, range(20))


def test_an_arm_most_of_whose_seeds_diverged_is_dropped():
    found = drops({"good": arm([0.9] * 2, 1), "lost": arm([None, None])}, range(5))
    assert found["lost"].difference is None
    half = drops({"good": arm([0.9] * 2, 1), "half": arm([0.9, None], 2)}, range(5))
    assert half == {}


def test_an_arm_without_two_seeds_leads_nothing():
    assert drops({"a": arm([0.9, None], 1), "b": arm([0.5, None], 2)}, range(5)) == {}


def test_equal_arms_are_kept():
    """Of 60 races of three equal arms, whose best is dropped in 5% at most."""
    lost = 0
    for n in range(60):
        arms = {str(k): arm([0.95] * 10, 100 * n + k) for k in range(3)}
        lost += "0" in drops(arms, range(11))
    assert lost <= 6
