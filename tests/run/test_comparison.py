"""What two recordings of one configuration differ in."""

import math

import torch

from mnist_sweep.run.comparison import (
    UNKNOWN,
    Pair,
    changed,
    compare,
    largest_difference,
    surroundings,
)

LINES = [
    {"epoch": 1, "lr": 0.1, "val_loss": 0.5, "seconds": 3.0, "images_per_second": 9.0},
    {"epoch": 2, "lr": 0.1, "val_loss": 0.4, "seconds": 3.0, "images_per_second": 9.0},
]
RESULT = {"best_epoch": 2, "val_loss": 0.4, "parameters": 10}


def of(now=LINES, result=RESULT, weights=0.0):
    return compare(LINES, now, RESULT, result, weights)


def test_the_same_figures_are_identical_whatever_time_they_took():
    slower = [line | {"seconds": 8.0, "images_per_second": 3.0} for line in LINES]
    assert of(slower).identical
    assert set(of(slower).epochs[1]) == {"lr", "val_loss"}


def test_the_last_bit_makes_a_difference_that_a_tolerance_can_take():
    found = of([LINES[0], LINES[1] | {"val_loss": math.nextafter(0.4, 1)}])
    assert not found.identical
    assert found.within(1e-9)
    assert found.epochs[1]["val_loss"].identical
    assert not found.epochs[2]["val_loss"].identical


def test_other_weights_are_another_run_also_where_no_figure_differs():
    assert not of(weights=1e-9).identical
    assert of(weights=None).identical  # there are none to compare


def test_an_epoch_that_was_not_trained_again_is_missing_at_any_tolerance():
    found = of(LINES[:1])
    assert found.missing == [2]
    assert not found.within(math.inf)


def test_a_figure_that_was_no_number_is_identical_to_none_only():
    assert Pair(None, None).identical
    assert Pair(None, None).difference == 0
    assert Pair(None, 0.5).difference == math.inf
    lost = [LINES[0], LINES[1] | {"val_loss": None}]
    assert not of(lost).within(1e9)
    assert compare(lost, lost, {}, {}, None).identical


def test_figures_that_only_one_has_recorded_are_not_compared():
    newer = [line | {"ema_val_loss": 0.3} for line in LINES]
    assert of(newer, RESULT | {"test_loss": 0.3}).identical


def test_the_kept_epoch_counts_for_identity_and_not_for_a_tolerance():
    found = of(result=RESULT | {"best_epoch": 1})
    assert not found.identical
    assert found.within(0.1)


def test_weights_are_compared_where_they_have_the_same_shapes():
    one, other = {"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([1.0, 2.5])}
    assert largest_difference(one, one) == 0.0
    assert largest_difference(one, other) == 0.5
    assert largest_difference(one, {"w": torch.zeros(3)}) is None
    counters = {"n": torch.tensor(3)}, {"n": torch.tensor(5)}
    assert largest_difference(*counters) == 2.0


def test_surroundings_of_a_run_that_was_resumed_on_others_are_all_said():
    parts = [
        {"epochs": 1, "threads": 1, "versions": {"torch": "2.13"}},
        {"epochs": 2, "threads": 2},
    ]
    resumed = surroundings({"threads": 2, "versions": {"torch": "2.14"}, "earlier": parts})
    again = surroundings({"threads": 2, "versions": {"torch": "2.14"}})
    assert changed(resumed, again) == {
        "threads": ("1, then 2", "2"),
        "torch": ("2.13, then 2.14", "2.14"),
    }


def test_surroundings_that_a_run_did_not_record_are_called_that():
    old = surroundings({"threads": 1, "versions": {"torch": "2.13"}})
    new = surroundings(
        {"threads": 1, "versions": {"torch": "2.14"}, "data": {"fingerprint": "abc"}}
    )
    assert changed(old, new) == {"data": (UNKNOWN, "abc"), "torch": ("2.13", "2.14")}
    assert changed(new, new) == {}
