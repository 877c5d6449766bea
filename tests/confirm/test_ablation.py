"""What two configurations differ in, and the way from one to the other."""

import json
from dataclasses import replace

import pytest

from mnist_sweep.confirm.ablation import (
    ablation,
    alone,
    changes_between,
    ordered,
    way,
    with_changes,
)
from mnist_sweep.confirm.candidates import Candidate
from mnist_sweep.confirm.conclude import Terms, arms_of
from mnist_sweep.models.cost import BudgetExceeded


@pytest.fixture
def candidate(composed):
    """Return a function from overrides to a configuration of that key."""

    def make(key, *overrides):
        config = composed("data=mnist_5k", "tracking=none", "epochs=2", *overrides)
        return Candidate(key, key, config, {"model": "enhanced"})

    return make


def names(changes):
    return [change.name for change in changes]


def test_a_number_is_a_change_and_a_schedule_of_another_class_is_one_with_its_settings(candidate):
    default = candidate("default")
    best = candidate("best", "scheduler=one_cycle", "scheduler.peak=3", "optimizer.lr=0.01")
    found = changes_between(default, best)
    assert sorted(map(str, found)) == [
        "optimizer.lr 0.003 -> 0.01",
        "scheduler four_phase -> one_cycle",
    ]
    assert changes_between(default, default) == []


def test_settings_of_the_same_class_are_changes_each(candidate):
    best = candidate("best", "scheduler.factor=0.5", "model.width=0.8", "model.dropout=0.2")
    assert names(changes_between(candidate("default"), best)) == [
        "model.dropout",
        "model.width",
        "scheduler.factor",
    ]


def test_what_makes_no_sense_alone_is_one_change(candidate):
    best = candidate(
        "best",
        "keep.monitor=val_acc",
        "keep.mode=max",
        "data.augmentation.rotation=5",
        "data.augmentation.shift=1",
    )
    found = names(changes_between(candidate("default"), best))
    assert sorted(found) == ["data.augmentation", "early_stopping", "keep"]


def test_all_changes_make_the_best(candidate):
    default = candidate("default")
    best = candidate("best", "scheduler=cosine", "model.width=0.8", "batch_size=64")
    changes = changes_between(default, best)
    assert with_changes(default, best, changes).settings == best.settings
    single = with_changes(default, best, changes[:1])
    assert names(changes_between(default, single)) == names(changes[:1])


def test_keys_depend_on_the_changes_and_not_on_their_order(candidate):
    default, best = candidate("default"), candidate("best", "model.width=0.8", "batch_size=64")
    changes = changes_between(default, best)
    there, back = (with_changes(default, best, order) for order in (changes, changes[::-1]))
    assert there.key == back.key == "default-to-best-batch_size-model.width"


def test_what_is_over_budget_alone_is_made_with_the_next_change(candidate):
    default = candidate("default")
    best = candidate("best", "model.width=1.1", "model.stages=[[8,8],[16,16]]", "batch_size=64")
    changes = changes_between(default, best)
    wide = next(change for change in changes if change.name == "model.width")
    with pytest.raises(BudgetExceeded):
        with_changes(default, best, [wide])
    single = alone(default, best, changes)
    assert [each is None for each in single] == [c.name == "model.width" for c in changes]
    order = sorted(changes, key=lambda change: change.name != "model.width")
    steps = way(default, best, order)
    assert names(steps[0][0])[0] == "model.width"
    assert len(steps[0][0]) > 1
    assert steps[-1][1] is best


def test_one_change_has_no_order(candidate):
    default, best = candidate("default"), candidate("best", "batch_size=64")
    (change,) = changes_between(default, best)
    assert alone(default, best, [change]) == []
    assert ordered([change], [], [], "val_acc") == [change]
    assert way(default, best, [change]) == [([change], best)]


def test_changes_are_ordered_by_what_each_brings_alone(candidate, ended):
    default = candidate("default")
    best = candidate("best", "model.width=0.8", "batch_size=64", "optimizer.lr=0.01")
    changes = changes_between(default, best)
    single = alone(default, best, changes)
    figures = dict(zip(names(changes), (0.91, 0.95, 0.93), strict=True))
    runs = []
    for change, made in zip(changes, single, strict=True):
        wrong = {1: range(3), 2: range(3)}
        of_it = ended(change.name, wrong, val_acc=figures[change.name], val_loss=1)
        runs += [replace(run, candidate=made) for run in of_it]
    found = ordered(changes, single, runs, "val_acc")
    assert names(found) == sorted(figures, key=lambda name: -figures[name])
    for run in runs:  # by losses, of which less is better
        loss = figures[run.directory.parent.name]
        path = run.directory / "result.json"
        path.write_text(json.dumps({**run.result, "val_loss": loss}))
    assert names(ordered(changes, single, runs, "val_loss")) == names(found)[::-1]


def test_each_step_is_compared_with_the_one_before(ended):
    bad = {seed: range(40 + seed) for seed in range(1, 5)}
    good = {seed: range(2 + seed) for seed in range(1, 5)}
    runs = ended("first", bad) + ended("middle", good) + ended("last", good)
    first, *others = arms_of(runs)
    found = ablation(
        first, [([name], arm) for name, arm in zip("ab", others, strict=True)], 3, Terms("val_acc")
    )
    one, other = (step.comparison for step in found.steps)
    assert (one.title, one.sign, one.seeds) == ("first", 1, 4)
    assert one.difference.mean == pytest.approx(38 / 200)
    assert (other.title, other.sign, other.difference.mean) == ("middle", 0, 0.0)
