"""What is said of a conclusion."""

from dataclasses import replace

import pytest

from mnist_sweep.cli.text_table import in_columns
from mnist_sweep.confirm.conclude import Terms, conclude
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.confirm.wording import HEADER, percent, row, sentences, verdict

BETTER = {seed: range(2 * seed) for seed in range(1, 7)}
WORSE = {seed: range(40 + 2 * seed) for seed in range(1, 7)}


@pytest.mark.parametrize(
    ("interval", "written"),
    [
        (Interval(0.994, 0.9929, 0.9951), "99.40 ± 0.11%"),
        (Interval(0.9, 0.8, 1.0), "90.00 ± 10.00%"),
        (Interval(0.9384, 0.6544, 1.2224), "93.84% (65.44 to 100.00%)"),
        (Interval(0.1, -0.2, 0.4), "10.00% (0.00 to 40.00%)"),
        (Interval(0.5, -1.0, 2.0), "50.00% (0.00 to 100.00%)"),
        (Interval(0.984, 0.984, 0.984), "98.40% (seeds alike)"),
    ],
)
def test_no_accuracy_is_below_0_or_above_100_percent(interval, written):
    assert percent(interval) == written


def some(wrong, seeds):
    return {seed: images for seed, images in wrong.items() if seed <= seeds}


@pytest.mark.parametrize(("seeds", "few"), [(2, True), (3, True), (4, False), (6, False)])
def test_fewer_than_four_seeds_are_warned_of(ended, seeds, few):
    found = conclude(
        ended("good", some(BETTER, seeds), val_acc=0.99) + ended("bad", some(WORSE, seeds)),
        Terms("val_acc"),
    )
    said = " ".join(sentences(found))
    assert (f"Warning: {seeds} seeds are very few." in said) == few
    assert ("Give seeds=4 or more: finished runs are kept" in said) == few


@pytest.mark.parametrize("kept", [True, False])
def test_of_several_splits_fewer_than_four_are_warned_of_however_many_seeds(ended, kept):
    runs = ended("good", BETTER, val_acc=0.99) + ended("bad", WORSE)
    runs = [replace(run, split_seed=1 + run.seed % 2) for run in runs]
    found = conclude(runs, Terms("val_acc", splits=2))
    if not kept:  # by an earlier version
        found.standings[:] = [replace(each, draws=None) for each in found.standings]
        found.comparisons[:] = [replace(each, draws=None) for each in found.comparisons]
    said = " ".join(sentences(found))
    assert "Warning: 2 splits are very few." in said
    assert "Give split_seeds=4 or more, and as many seeds: that is another confirmation." in said


def test_of_one_other_split_nothing_is_said_to_hold_for_others(ended):
    runs = [replace(run, split_seed=1) for run in ended("good", BETTER)]
    said = list(sentences(conclude(runs, Terms("val_acc", splits=1))))
    assert "interval over seeds" in said[0]
    assert said[1] == (
        "All seeds are on one split of the training images, which is not that of the search. What "
        "is said of means and differences holds for other seeds on that split, and says nothing "
        "of other splits."
    )


def test_seeds_that_diverged_are_none_of_the_four(ended):
    wrong = BETTER | {5: None, 4: None, 6: None}
    said = " ".join(sentences(conclude(ended("good", wrong), Terms("val_acc"))))
    assert "Warning: 3 seeds are very few." in said


def test_it_says_that_pairs_are_compared_where_the_intervals_overlap(ended):
    # Seeds differ much, and both configurations alike.
    good, bad = ({1: range(40, n), 2: range(n)} for n in (70, 100))
    found = conclude(ended("good", good, val_acc=0.99) + ended("bad", bad), Terms("val_acc"))
    good, bad = found.standings
    assert good.test_acc.low < bad.test_acc.high  # and yet
    assert found.comparisons[0].difference.sign == 1
    said = list(sentences(found))
    assert "in pairs, with the same seeds and the same test images" in said[1]
    assert "can be certain although their intervals in the table overlap" in said[1]
    alone = " ".join(sentences(conclude(ended("alone", BETTER), Terms("val_acc"))))
    assert "in pairs" not in alone


def test_a_table_of_trials_fits_80_columns(ended):
    wrong = {seed: range(40 + seed) for seed in range(1, 11)}
    found = conclude(ended("trial 123", wrong, val_acc=0.95), Terms("val_acc"))
    lines = in_columns([HEADER, *map(row, found.standings)])
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[-2:] == ["searched", "seeds"]
    assert "searched is the val_acc of the run that each was taken from" in next(sentences(found))


def test_a_difference_is_at_most_all_images(ended):
    found = conclude(ended("good", BETTER, val_acc=0.99) + ended("bad", WORSE), Terms("val_acc"))
    wide = type(found.comparisons[0])("bad", 2, Interval(0.4, -1.3, 2.1))
    assert "(-100.00 to +100.00)" in verdict(found.standings[0], wide)
    assert row(found.standings[0])[3].endswith("%")
