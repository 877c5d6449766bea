"""What runs that have ended come to."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.conclude import Terms, conclude
from mnist_sweep.confirm.conclusion import Ablation, Step, read_conclusions, write_conclusion
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.confirm.race import Dropped
from mnist_sweep.confirm.wording import row, sentences
from tests.confirm.test_crossed import of_difference

GOOD = {1: range(2), 2: range(3), 3: range(2)}
BAD = {1: range(40), 2: range(42), 3: range(41)}


def difference(first, second, level):
    hits = np.ones((2, 3, 200), dtype=bool)
    for of, wrong in zip(hits, (first, second), strict=True):
        for seed, images in zip(of, wrong.values(), strict=True):
            seed[list(images)] = False
    return of_difference(*hits, level)


def test_test_accuracy_is_the_share_of_images_that_are_not_wrong(ended):
    found = conclude(ended("good", GOOD), Terms("val_acc"))
    (standing,) = found.standings
    assert standing.accuracies == pytest.approx([0.99, 0.985, 0.99])
    assert standing.test_acc.mean == pytest.approx(0.98833333)
    assert standing.val_acc.mean == pytest.approx(0.972)
    assert (standing.seeds, found.images, found.comparisons) == ([1, 2, 3], 200, [])


def test_runs_on_several_splits_are_as_certain_as_their_splits(ended):
    runs = [replace(run, split_seed=1 + n % 2) for n, run in enumerate(ended("good", GOOD))]
    found = conclude(runs, Terms("val_acc", splits=2))
    (standing,) = found.standings
    by_split = [(0.99 + 0.99) / 2, 0.985]
    assert standing.test_acc.mean == pytest.approx(sum(by_split) / 2)
    # Two splits: t(0.975, 1) = 12.706205 times half their distance.
    assert standing.test_acc.high - standing.test_acc.mean == pytest.approx(12.706205 * 0.0025)
    assert "interval over splits (Student's t)" in next(sentences(found))


def test_of_several_splits_one_that_is_left_settles_nothing(ended):
    lost = {1: range(2), 2: None, 3: range(2), 4: None}
    runs = ended("good", GOOD | {4: range(2)}, val_acc=0.99) + ended("lost", lost)
    runs = [replace(run, split_seed=1 + run.seed % 2) for run in runs]
    found = conclude(runs, Terms("val_acc", splits=2))
    assert ([s.title for s in found.standings], found.unsettled) == (["good"], ["lost"])
    assert (found.standings[0].draws, found.comparisons) == (2, [])
    # Both have two splits, but the seeds that both have are of one.
    other = ended("other", {1: None, 2: range(9), 3: None, 4: range(8), 5: range(9)})
    runs = [run for run in runs if run.candidate.title == "good"]
    runs += [replace(run, split_seed=1 + run.seed % 2) for run in other]
    found = conclude(runs, Terms("val_acc", splits=2))
    assert (found.comparisons, found.unsettled) == ([], ["other"])


def test_the_order_is_that_of_validation_images_and_not_of_test(ended):
    runs = ended("worse on test", BAD, val_acc=0.99) + ended("better on test", GOOD, val_acc=0.9)
    found = conclude(runs, Terms("val_acc"))
    assert [s.title for s in found.standings] == ["worse on test", "better on test"]
    assert found.comparisons[0].difference.sign == -1
    assert "leads on validation images, but is worse than better on test" in " ".join(
        sentences(found)
    )


def test_a_study_of_losses_orders_by_losses(ended):
    runs = ended("a", GOOD, val_acc=0.99, val_loss=0.3) + ended("b", GOOD, val_acc=0.9)
    assert [s.title for s in conclude(runs, Terms("val_loss")).standings] == ["b", "a"]
    assert [s.title for s in conclude(runs, Terms("val_acc")).standings] == ["a", "b"]


def test_a_clear_difference_is_called_one(ended):
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), Terms("val_acc"))
    assert found.comparisons[0].difference.mean == pytest.approx(41 / 200 - 7 / 600)
    assert any(s.startswith("good is better than bad: +19.33 points") for s in sentences(found))


def test_a_difference_within_its_interval_is_not_called_one(ended):
    close = {1: range(3), 2: range(2), 3: range(4)}
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("close", close), Terms("val_acc"))
    assert any(s.startswith("good and close cannot be told apart") for s in sentences(found))


def test_intervals_hold_for_every_pair_of_which_the_leader_may_have_chosen(ended):
    close = {1: range(3), 2: range(2), 3: range(4)}
    one = conclude(ended("good", GOOD, val_acc=0.99) + ended("a", close), Terms("val_acc"))
    runs = ended("best", GOOD, val_acc=0.99) + ended("b", close) + ended("c", close)
    two = conclude(runs, Terms("val_acc"))
    assert one.comparisons[0].difference == difference(GOOD, close, 0.95)
    assert two.comparisons[1].difference == difference(GOOD, close, 1 - 0.05 / 3)
    assert "all of them together" in " ".join(sentences(two))


def test_only_seeds_that_both_have_are_compared(ended):
    holed = {1: range(5), 2: None, 3: range(6)}
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("holed", holed), Terms("val_acc"))
    assert found.comparisons[0].seeds == 2
    assert found.comparisons[0].difference.mean == pytest.approx((3 + 4) / 400)
    assert found.standings[1].diverged == [2]
    assert row(found.standings[1])[-1] == "2, 1 diverged"
    assert any("over the 2 seeds with which neither diverged" in s for s in sentences(found))


def test_what_diverges_with_most_seeds_is_not_compared(ended):
    lost = {1: range(5), 2: None, 3: None}
    found = conclude(ended("good", GOOD) + ended("lost", lost), Terms("val_acc"))
    assert ([s.title for s in found.standings], found.unsettled) == (["good"], ["lost"])
    assert "lost: nothing can be said, too many seeds diverged." in list(sentences(found))


def test_a_seed_without_finite_figures_is_no_better_than_one_that_diverged(ended):
    runs = ended("good", GOOD)
    path = runs[1].directory / "result.json"
    path.write_text(json.dumps({**runs[1].result, "val_loss": None}))
    (standing,) = conclude(runs, Terms("val_acc")).standings
    assert (standing.seeds, standing.diverged) == ([1, 3], [2])


def test_where_everything_diverges_there_is_no_conclusion(ended):
    with pytest.raises(ConfirmError, match="no configuration has two seeds that did not diverge"):
        conclude(ended("lost", {1: None, 2: None}), Terms("val_acc"))


def test_runs_on_other_data_are_not_compared(ended):
    runs = ended("one", GOOD) + ended("other", GOOD, fingerprint="changed")
    with pytest.raises(ConfirmError, match="one/1 was trained on other data than"):
        conclude(runs, Terms("val_acc"))


def test_the_optimism_of_the_search_is_always_told(ended):
    # Fresh figures of 97.1, 97.2 and 97.3%: Student's interval is 97.2 +- 4.303 * 0.1 / sqrt(3).
    runs = ended("good", GOOD, searched=0.985) + ended("other", BAD, val_acc=0.9, searched=0.89)
    found = conclude(runs, Terms("val_acc"))
    optimism = found.standings[0].optimism
    assert (optimism.mean, optimism.low) == pytest.approx((0.013, 0.013 - 0.002484), abs=1e-6)
    assert "good +1.30 (+1.05 to +1.55); other -1.20 (-1.45 to -0.95)." in " ".join(
        sentences(found)
    )
    unknown = conclude(ended("new", GOOD, searched=None), Terms("val_acc"))
    assert unknown.standings[0].optimism is None
    assert "Optimism" not in " ".join(sentences(unknown))


@pytest.mark.parametrize("before", [{"max_epochs": 20}, {"data": {"fingerprint": "other"}}])
def test_a_run_of_other_epochs_or_data_is_not_held_against_the_fresh_ones(ended, before):
    found = conclude(ended("good", GOOD, searched=0.5, before=before), Terms("val_acc"))
    assert found.standings[0].searched is None
    assert "Optimism" not in " ".join(sentences(found))


def test_conclusions_are_read_as_they_were_written(ended, tmp_path):
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), Terms("val_acc"))
    assert read_conclusions([tmp_path]) == []
    for name in ("confirmation-mnist", "confirmation", "12"):
        (tmp_path / name).mkdir()
        write_conclusion(found, tmp_path / name)
    assert read_conclusions([tmp_path]) == [found, found]


def test_everything_that_was_concluded_is_in_the_record(ended, tmp_path):
    lost = Dropped(2, "good", Interval(0.2, 0.1, 0.3), 0.999)
    runs = ended("good", GOOD, val_acc=0.99) + ended("bad", BAD) + ended("lost", BAD, val_acc=0.5)
    runs = [replace(run, split_seed=1 + run.seed % 2) for run in runs]
    terms = Terms("val_acc", dropped={"lost": lost}, default="bad", splits=2)
    found = conclude(runs, terms)
    step = Step(["x 1 -> 2"], *[Interval(0.9, 0.8, 1.0)] * 2, found.comparisons[0])
    found = replace(found, ablation=Ablation("bad", 3, [step]), missing={"good": 2})
    (tmp_path / "confirmation").mkdir()
    write_conclusion(found, tmp_path / "confirmation")
    (read,) = read_conclusions([tmp_path], "confirmation")
    assert read == found
    assert (read.against_default.title, read.against_default.sign) == ("bad", 1)


def test_a_record_of_before_there_were_races_is_read(ended, tmp_path):
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), Terms("val_acc"))
    (tmp_path / "confirmation").mkdir()
    path = write_conclusion(found, tmp_path / "confirmation")
    old = json.loads(path.read_text())
    for name in ("race", "margin", "default", "splits", "missing", "power", "ablation"):
        del old[name]
    for standing in old["standings"]:
        for name in ("optimism", "dropped", "directory", "draws"):
            del standing[name]
    for comparison in old["comparisons"]:
        for name in ("p", "equivalence", "equivalent", "draws"):
            del comparison[name]
    path.write_text(json.dumps(old))
    (read,) = read_conclusions([tmp_path])
    assert (read.race, read.default, read.comparisons[0].sign) == (False, None, 1)
    assert read.against_default is None
    assert any(s.startswith("good is better than bad") for s in sentences(read))


def test_a_dropped_configuration_is_last_and_its_test_images_are_not_looked_at(ended):
    dropped = {"lost": Dropped(3, "good", Interval(0.1, 0.01, 0.19), 0.99)}
    runs = ended("lost", GOOD, val_acc=0.999) + ended("good", GOOD, val_acc=0.99)
    found = conclude(runs, Terms("val_acc", dropped=dropped))
    assert [s.title for s in found.standings] == ["good", "lost"]
    assert (found.standings[1].test_acc, found.comparisons) == (None, [])
    assert row(found.standings[1])[3] == "dropped"
    said = "lost was dropped after 3 seeds: good is better on validation images, +10.00 points"
    assert said in " ".join(sentences(found))


def test_a_dropped_default_is_compared_with_the_best_nevertheless(ended):
    dropped = {"usual": Dropped(3, "good", Interval(0.1, 0.01, 0.19), 0.99)}
    runs = ended("usual", BAD) + ended("good", GOOD, val_acc=0.99)
    found = conclude(runs, Terms("val_acc", dropped=dropped, default="usual"))
    assert found.against_default == found.comparisons[0]
    assert found.comparisons[0].sign == 1
    assert "usual is the default configuration." in list(sentences(found))


def test_small_differences_are_equivalent_within_the_margin(ended):
    same = {seed: range(3) for seed in range(1, 4)}
    runs = ended("one", same, val_acc=0.99) + ended("other", {**same, 3: range(4)})
    wide = conclude(runs, Terms("val_acc", margin=0.05))
    assert wide.comparisons[0].equivalent
    assert "equivalent within the margin of 5 points" in " ".join(sentences(wide))
    deciding = wide.comparisons[0].equivalence
    assert deciding == difference(same, {**same, 3: range(4)}, 0.9)
    narrow = conclude(runs, Terms("val_acc", margin=deciding.high))
    assert not narrow.comparisons[0].equivalent
    assert "cannot be told apart" in " ".join(sentences(narrow))


def test_it_says_which_difference_would_have_been_found_and_how_many_seeds_are_missing(ended):
    close = {1: range(3), 2: range(2), 3: range(5)}
    found = conclude(ended("good", GOOD, val_acc=0.99) + ended("close", close), Terms("val_acc"))
    said = " ".join(sentences(found))
    assert f"a true difference of {100 * found.power.detectable:.2f} points" in said
    assert f"About {found.power.more_seeds} more seeds would settle" in said
    settled = conclude(ended("best", GOOD, val_acc=0.99) + ended("bad", BAD), Terms("val_acc"))
    assert settled.power.more_seeds is None


def test_what_there_was_no_time_for_is_said(ended):
    runs = ended("good", GOOD, val_acc=0.99) + ended("short", {1: range(4), 2: range(5)})
    planned = [*runs, replace(runs[-1], seed=3, directory=Path("not/begun"))]
    found = conclude(planned, Terms("val_acc"))
    assert found.missing == {"short": 1}
    assert "Missing: short (1 seed); the same command" in " ".join(sentences(found))
    with pytest.raises(ConfirmError, match="1 of 2 runs are done, and no configuration has two"):
        conclude(planned[-2:], Terms("val_acc"))


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"standings": [1]})])
def test_a_damaged_conclusion_is_said_to_be_so(tmp_path, content):
    (tmp_path / "confirmation").mkdir()
    (tmp_path / "confirmation" / "confirmation.json").write_text(content)
    with pytest.raises(ConfirmError, match=r"confirmation.json is damaged \("):
        read_conclusions([tmp_path])


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
        ("standings", "val_acc", {"mean": None, "low": 0, "high": 1}),
        ("standings", "val_acc", None),
        ("standings", "val_loss", None),
        ("standings", "seeds", None),
        ("standings", "accuracies", None),
        ("standings", "diverged", None),
        ("standings", "dropped", {"seeds": 3, "leader": None, "difference": None, "level": 0.9}),
        ("comparisons", "difference", {"mean": 0.1, "low": None, "high": 0.2}),
        (None, "power", {"detectable": None, "more_seeds": 1}),
        (None, "ablation", {"first": None, "order_seeds": 3, "steps": []}),
        ("standings", "test_acc", 0.9),
        ("comparisons", "difference", {"mean": 0.1}),
        ("comparisons", "seeds", -1),
        ("comparisons", "p", "small"),
        ("comparisons", "equivalent", 1),
        ("standings", "optimism", 0.1),
        ("standings", "dropped", {"seeds": "three"}),
        (None, "margin", "wide"),
        (None, "missing", {"good": -1}),
        (None, "power", {"detectable": "much", "more_seeds": 1}),
        (None, "ablation", {"first": "good", "order_seeds": 3, "steps": [{"changes": "x"}]}),
    ],
)
def test_a_conclusion_with_an_entry_of_the_wrong_kind_is_damaged(
    ended, tmp_path, where, key, value
):
    (tmp_path / "confirmation").mkdir()
    path = write_conclusion(
        conclude(ended("good", GOOD, val_acc=0.99) + ended("bad", BAD), Terms("val_acc")),
        tmp_path / "confirmation",
    )
    found = json.loads(path.read_text())
    (found if where is None else found[where][0])[key] = value
    path.write_text(json.dumps(found))
    with pytest.raises(ConfirmError, match=r"confirmation.json is damaged \("):
        read_conclusions([tmp_path])


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
        conclude(runs, Terms("val_acc"))
