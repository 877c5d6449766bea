"""What runs that have ended come to."""

import json

import numpy as np
import pytest

from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.conclusion import conclude, read_conclusions, write_conclusion
from mnist_sweep.confirm.intervals import of_difference
from mnist_sweep.confirm.wording import row, sentences

GOOD = {1: range(2), 2: range(3), 3: range(2)}
BAD = {1: range(40), 2: range(42), 3: range(41)}


def difference(first, second, level):
    hits = np.ones((2, 3, 200), dtype=bool)
    for of, wrong in zip(hits, (first, second), strict=True):
        for seed, images in zip(of, wrong.values(), strict=True):
            seed[list(images)] = False
    return of_difference(*hits, level)


def test_test_accuracy_is_the_share_of_images_that_are_not_wrong(ended):
    found = conclude(ended("good", GOOD), "val_acc")
    (standing,) = found.standings
    assert standing.accuracies == pytest.approx([0.99, 0.985, 0.99])
    assert standing.test_acc.mean == pytest.approx(0.98833333)
    assert standing.val_acc.mean == pytest.approx(0.972)
    assert (standing.seeds, found.images, found.comparisons) == ([1, 2, 3], 200, [])


def test_the_order_is_that_of_validation_images_and_not_of_test(ended):
    runs = ended("worse on test", BAD, val_acc=0.99) + ended("better on test", GOOD, val_acc=0.9)
    found = conclude(runs, "val_acc")
    assert [s.title for s in found.standings] == ["worse on test", "better on test"]
    assert found.comparisons[0].difference.sign == -1
    assert "leads on validation images, but is worse than better on test" in " ".join(
        sentences(found)
    )


def test_a_study_of_losses_orders_by_losses(ended):
    runs = ended("a", GOOD, val_acc=0.99, val_loss=0.3) + ended("b", GOOD, val_acc=0.9)
    assert [s.title for s in conclude(runs, "val_loss").standings] == ["b", "a"]
    assert [s.title for s in conclude(runs, "val_acc").standings] == ["a", "b"]


def test_a_clear_difference_is_called_one(ended):
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), "val_acc")
    assert found.comparisons[0].difference.mean == pytest.approx(41 / 200 - 7 / 600)
    assert any(s.startswith("good is better than bad: +19.33 points") for s in sentences(found))


def test_a_difference_within_its_interval_is_not_called_one(ended):
    close = {1: range(3), 2: range(2), 3: range(4)}
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("close", close), "val_acc")
    assert any(s.startswith("good and close cannot be told apart") for s in sentences(found))


def test_intervals_hold_for_every_pair_of_which_the_leader_may_have_chosen(ended):
    close = {1: range(3), 2: range(2), 3: range(4)}
    one = conclude(ended("good", GOOD, val_acc=0.99) + ended("a", close), "val_acc")
    runs = ended("best", GOOD, val_acc=0.99) + ended("b", close) + ended("c", close)
    two = conclude(runs, "val_acc")
    assert one.comparisons[0].difference == difference(GOOD, close, 0.95)
    assert two.comparisons[1].difference == difference(GOOD, close, 1 - 0.05 / 3)
    assert "all of them together" in " ".join(sentences(two))


def test_only_seeds_that_both_have_are_compared(ended):
    holed = {1: range(5), 2: None, 3: range(6)}
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("holed", holed), "val_acc")
    assert found.comparisons[0].seeds == 2
    assert found.comparisons[0].difference.mean == pytest.approx((3 + 4) / 400)
    assert found.standings[1].diverged == [2]
    assert row(found.standings[1])[-1] == "2, 1 diverged"
    assert any("over the 2 seeds with which neither diverged" in s for s in sentences(found))


def test_what_diverges_with_most_seeds_is_not_compared(ended):
    lost = {1: range(5), 2: None, 3: None}
    found = conclude(ended("good", GOOD) + ended("lost", lost), "val_acc")
    assert ([s.title for s in found.standings], found.unsettled) == (["good"], ["lost"])
    assert "lost: nothing can be said, too many seeds diverged." in list(sentences(found))


def test_a_seed_without_finite_figures_is_no_better_than_one_that_diverged(ended):
    runs = ended("good", GOOD)
    path = runs[1].directory / "result.json"
    path.write_text(json.dumps({**runs[1].result, "val_loss": None}))
    (standing,) = conclude(runs, "val_acc").standings
    assert (standing.seeds, standing.diverged) == ([1, 3], [2])


def test_where_everything_diverges_there_is_no_conclusion(ended):
    with pytest.raises(ConfirmError, match="no configuration has two seeds that did not diverge"):
        conclude(ended("lost", {1: None, 2: None}), "val_acc")


def test_runs_on_other_data_are_not_compared(ended):
    runs = ended("one", GOOD) + ended("other", GOOD, fingerprint="changed")
    with pytest.raises(ConfirmError, match="one/1 was trained on other data than"):
        conclude(runs, "val_acc")


# With fresh figures of 97.1, 97.2 and 97.3%, one more lies within 97.2 +- 4.303 * 0.1 * sqrt(4/3).
@pytest.mark.parametrize(
    ("searched", "said"), [(0.985, True), (0.9772, True), (0.9767, False), (None, False)]
)
def test_a_run_that_was_chosen_for_its_luck_is_told(ended, searched, said):
    found = conclude(ended("good", GOOD, searched=searched), "val_acc")
    assert ("The run that good was taken from had" in " ".join(sentences(found))) == said


@pytest.mark.parametrize("before", [{"max_epochs": 20}, {"data": {"fingerprint": "other"}}])
def test_a_run_of_other_epochs_or_data_is_not_held_against_the_fresh_ones(ended, before):
    found = conclude(ended("good", GOOD, searched=0.5, before=before), "val_acc")
    assert found.standings[0].searched is None
    assert "was taken from" not in " ".join(sentences(found))


def test_conclusions_are_read_as_they_were_written(ended, tmp_path):
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), "val_acc")
    assert read_conclusions(tmp_path) == []
    for name in ("confirmation-mnist", "confirmation", "12"):
        (tmp_path / name).mkdir()
        write_conclusion(found, tmp_path / name)
    assert read_conclusions(tmp_path) == [found, found]


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"standings": [1]})])
def test_a_damaged_conclusion_is_said_to_be_so(tmp_path, content):
    (tmp_path / "confirmation").mkdir()
    (tmp_path / "confirmation" / "confirmation.json").write_text(content)
    with pytest.raises(ConfirmError, match=r"confirmation.json is damaged \("):
        read_conclusions(tmp_path)


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        (None, "images", "many"),
        (None, "level", None),
        (None, "unsettled", "none"),
        ("standings", "parameters", "many"),
        ("standings", "seeds", "abc"),
        ("standings", "accuracies", ["good"]),
        ("standings", "val_acc", {"mean": "good", "low": 0, "high": 1}),
        ("standings", "test_acc", 0.9),
        ("comparisons", "difference", {"mean": 0.1}),
        ("comparisons", "seeds", -1),
    ],
)
def test_a_conclusion_with_an_entry_of_the_wrong_kind_is_damaged(
    ended, tmp_path, where, key, value
):
    (tmp_path / "confirmation").mkdir()
    path = write_conclusion(
        conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), "val_acc"),
        tmp_path / "confirmation",
    )
    found = json.loads(path.read_text())
    (found if where is None else found[where][0])[key] = value
    path.write_text(json.dumps(found))
    with pytest.raises(ConfirmError, match=r"confirmation.json is damaged \("):
        read_conclusions(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"images": 1000000000000, "wrong": []}',
        '{"images": 10, "wrong": [10]}',
        '{"images": 10, "wrong": "abc"}',
        '{"images": 10, "wrong": [[1]]}',
    ],
)
def test_a_damaged_list_of_errors_is_said_to_be_so(ended, content):
    runs = ended("good", GOOD)
    runs[0].errors.write_text(content)
    with pytest.raises(ConfirmError, match=r"test_errors.json is damaged \("):
        conclude(runs, "val_acc")
