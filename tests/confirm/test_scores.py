"""Lists of errors on disk, and the pairing of scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.crossed import crossed
from mnist_sweep.confirm.intervals import over_seeds
from mnist_sweep.confirm.scores import Listed, Scored, compare, read_listed, write_listed

PATH = Path("val_errors.json")


def test_a_list_is_read_as_it_was_written():
    listed = Listed(4, [1, 3], [0.25, 2.5, 1e-7, 80.0], "abc")
    write_listed(listed, PATH)
    assert read_listed(PATH) == listed
    write_listed(Listed(4, [1]), PATH)  # as older confirmations have them
    assert read_listed(PATH) == Listed(4, [1], None, None)


def test_scores_are_hits_or_losses_of_which_less_is_better():
    listed = Listed(3, [1], [0.1, 2.0, 0.2])
    assert listed.scores("val_acc").tolist() == [1.0, 0.0, 1.0]
    assert listed.scores("val_loss").tolist() == [-0.1, -2.0, -0.2]


@pytest.mark.parametrize(
    "change", [{"losses": [0.1]}, {"losses": ["x"] * 3}, {"fingerprint": 3}, {"wrong": [3]}]
)
def test_a_list_that_contradicts_itself_is_damaged(change):
    found = {"images": 3, "wrong": [1], "losses": [0.1, 2.0, 0.2], "fingerprint": "abc"}
    PATH.write_text(json.dumps(found | change))
    with pytest.raises(ConfirmError, match=r"val_errors.json is damaged \("):
        read_listed(PATH)


def scored(rng, accuracy, seeds, images=50, splits=None, fingerprint="same"):
    """Scores by seed; of `splits`, each has images of its own."""
    found = {}
    for n in range(seeds):
        split = 0 if splits is None else n % splits
        name = fingerprint if splits is None else f"split {split}"
        found[n] = Scored((rng.random(images) < accuracy).astype(float), name, split)
    return found


def test_seeds_that_both_have_are_paired():
    rng = np.random.default_rng(0)
    one, other = scored(rng, 0.9, 4), scored(rng, 0.7, 5)
    del other[1]
    rows = np.stack([one[n].values - other[n].values for n in (0, 2, 3)])
    assert compare(one, other) == crossed(rows)


def test_fewer_than_two_common_seeds_are_no_comparison():
    rng = np.random.default_rng(0)
    one, other = scored(rng, 0.9, 2), scored(rng, 0.7, 2)
    del other[1]
    assert compare(one, other) is None


def test_seeds_of_one_split_are_averaged_and_each_split_counts_once():
    rng = np.random.default_rng(1)
    one, other = scored(rng, 0.9, 5, splits=3), scored(rng, 0.7, 5, splits=3)
    gaps = [float((one[n].values - other[n].values).mean()) for n in range(5)]
    by_split = [(gaps[0] + gaps[3]) / 2, (gaps[1] + gaps[4]) / 2, gaps[2]]
    found, students = compare(one, other).interval(), over_seeds(by_split)
    assert (found.mean, found.low) == pytest.approx((students.mean, students.low))


def test_splits_that_happen_to_differ_alike_are_as_uncertain_as_their_images():
    """Two equal networks of 97%, two splits: none may be certainly better in more than 5%."""
    rng = np.random.default_rng(2)
    pairs = [
        compare(scored(rng, 0.97, 2, 500, splits=2), scored(rng, 0.97, 2, 500, splits=2))
        for _ in range(600)
    ]
    assert np.mean([found.interval().sign != 0 for found in pairs]) < 0.05
    assert all(found.p_value() > 1e-6 for found in pairs if found.mean)


def test_splits_with_the_same_test_images_are_crossed_with_them():
    rng = np.random.default_rng(2)
    one, other = (
        {n: Scored(each.values, "test", n % 2) for n, each in scored(rng, a, 4).items()}
        for a in (0.9, 0.7)
    )
    rows = [
        np.mean([one[n].values - other[n].values for n in pair], axis=0)
        for pair in ((0, 2), (1, 3))
    ]
    assert compare(one, other) == crossed(np.stack(rows))


def test_one_split_alone_is_compared_over_its_seeds():
    rng = np.random.default_rng(3)
    one, other = scored(rng, 0.9, 3, splits=1), scored(rng, 0.7, 3, splits=1)
    assert compare(one, other).seeds == 3


def test_other_images_of_the_same_seed_are_refused():
    rng = np.random.default_rng(4)
    one = scored(rng, 0.9, 2)
    with pytest.raises(ConfirmError, match="seed 0 was evaluated on other images"):
        compare(one, scored(rng, 0.9, 2, fingerprint="other"))
    with pytest.raises(ConfirmError, match="seed 0 was evaluated on other images"):
        compare(one, scored(rng, 0.9, 2, images=60))
