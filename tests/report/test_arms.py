"""A search that has the seed as an axis."""

import json
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial
from scipy import stats

from mnist_sweep.report.arms import arms, called, differences, headline, leader, verdicts
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import sections
from mnist_sweep.report.text import markdown
from mnist_sweep.sweep import study_search
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.sweep.study_store import DATA
from tests.report.conftest import ADDRESS, create

BY_SEED = {16: (0.991, 0.993, 0.992), 32: (0.984, 0.986, 0.985), 64: (0.985, 0.995, 0.99)}


def grid(study, found, attributes=None):
    among = {
        "batch_size": CategoricalDistribution(sorted({*BY_SEED, *found})),
        "seed": CategoricalDistribution(list(range(5))),
    }
    for size, values in found.items():
        for seed, value in enumerate(values):
            state = TrialState.COMPLETE if value is not None else TrialState.FAIL
            study.add_trial(
                create_trial(
                    state=state,
                    value=value,
                    params={"batch_size": size, "seed": seed},
                    distributions=among,
                    user_attrs=attributes or {},
                )
            )


@pytest.fixture
def record():
    grid(create("arms"), BY_SEED, {"parameters": 10, "epochs": 1, DATA: "abc"})
    return read_study("arms", ADDRESS)


def test_configurations_are_ordered_by_their_means_over_seeds(record):
    found = arms(record)
    assert [called(arm) for arm in found] == ["batch_size=16", "batch_size=64", "batch_size=32"]
    assert found[0].interval.mean == pytest.approx(0.992)
    # Student's t with two degrees of freedom: 4.303 standard errors.
    assert found[0].interval.high - found[0].interval.mean == pytest.approx(
        4.303 * 0.001 / 3**0.5, rel=1e-3
    )


def test_differences_are_in_pairs_of_seeds_and_hold_together(record):
    wide, sure = differences(record, arms(record))
    assert wide.mean == pytest.approx(0.002)
    assert wide.sign == 0
    assert sure.mean == pytest.approx(0.007)  # the same for each seed, whatever the seeds do
    assert sure.sign == 1


def test_accuracies_are_taken_to_be_of_as_few_images_as_they_fit_where_no_run_is_here():
    grid(create("far"), {16: (0.964, 0.962), 32: (0.962, 0.96)}, {DATA: "abc", "val_acc": 0.96})
    record = read_study("far", ADDRESS)
    (difference,) = differences(record, arms(record))
    assert difference.mean == pytest.approx(0.002)
    assert difference.sign == 0  # one image of 500, which two seeds can have alike by chance


def test_the_images_that_a_trial_has_recorded_count_also_without_its_run():
    found = {16: (0.964, 0.962), 32: (0.962, 0.96)}
    for name, images, sign in (("few", 500, 0), ("many", 500_000, 1)):
        grid(create(name), found, {DATA: "abc", "val_acc": 0.96, "validation_images": images})
        record = read_study(name, ADDRESS)
        (difference,) = differences(record, arms(record))
        assert difference.sign == sign


def test_a_configuration_of_which_seeds_were_pruned_is_not_said_to_be_better():
    study = create("survivors")
    grid(study, {16: (0.98, 0.981), 32: (0.97, 0.971, 0.972, 0.973)})
    among = study.trials[0].distributions
    for seed in (2, 3):
        state, params = TrialState.PRUNED, {"batch_size": 16, "seed": seed}
        study.add_trial(create_trial(state=state, params=params, distributions=among))
    record = read_study("survivors", ADDRESS)
    assert [called(arm) for arm in arms(record)] == ["batch_size=32", "batch_size=16"]
    assert headline(record).startswith("The best of 2 configurations is batch_size=32")
    assert differences(record, arms(record)) == [None]
    (said,) = verdicts(record)
    assert said.startswith("batch_size=16: seeds were pruned, so the mean of the others is too go")
    text = markdown("survivors", sections(record, []))
    assert "Without a value, and in no mean: batch_size=16 was pruned with seeds 2, 3." in text


def test_the_error_is_shared_by_all_pairs_of_arms_since_their_seeds_choose_the_first(record):
    first, *_ = arms(record)
    (wide, _), spread = differences(record, arms(record)), [0.006, -0.002, 0.002]
    assert [first.values[n] - BY_SEED[64][n] for n in range(3)] == pytest.approx(spread)
    factor = stats.t.ppf(1 - 0.05 / 3 / 2, 2)  # of three pairs of three arms
    assert wide.high - wide.mean == pytest.approx(factor * stats.sem(spread))


def test_accuracies_of_few_images_that_differ_alike_are_not_told_apart():
    run = Path("multirun/rounded/0")
    run.mkdir(parents=True)
    result = {"data": {"sizes": {"val": 500}}, "status": "complete"}
    (run / "result.json").write_text(json.dumps(result))
    attributes = {"parameters": 10, "epochs": 1, DATA: "abc", "run_directory": str(run)}
    grid(create("rounded"), {16: (0.994, 0.992), 32: (0.99, 0.988)}, attributes)
    found = read_study("rounded", ADDRESS)
    assert list(verdicts(found)) == ["batch_size=16 cannot be told from batch_size=32."]


def test_a_first_that_is_worse_with_the_seeds_that_both_have_is_said_to_be():
    grid(create("missing"), {16: (0.990, 0.991, 0.999), 32: (0.9905, 0.9915, None)})
    assert list(verdicts(read_study("missing", ADDRESS))) == [
        "batch_size=16 has the best mean, but with the seeds that both have it is worse than "
        "batch_size=32."
    ]


def test_the_answer_is_of_configurations_and_not_of_trials(record):
    assert headline(record) == (
        "The best of 3 configurations is batch_size=16: val_acc 99.20 ± 0.25%, the mean of 3 seeds "
        "and its 95% interval."
    )
    assert list(verdicts(record)) == [
        "batch_size=16 is better than batch_size=32.",
        "batch_size=16 cannot be told from batch_size=64.",
    ]
    drawn = charts(record)
    text = markdown("arms", sections(record, [picture for picture, _ in drawn.values()]))
    assert "**The best of 3 configurations is batch_size=16: " in text
    assert "| 32 | 3 | 98.50 ± 0.25% | +0.70 points (+0." in text
    assert "arms.png" in text.split("## Over the seeds")[0]


def test_the_run_to_take_further_is_of_the_configuration_with_the_best_mean(record):
    assert leader(record).number == 1  # seed 1 of the first; one of 64 had the best single run
    assert record.best[0].settings["batch_size"] == 64


def test_what_follows_a_searched_setting_is_among_an_arms_settings():
    study = create("zipped")
    follows = {"scheduler": "constant"}, {"scheduler": "four_phase"}
    branches = dict(zip(("16", "32"), follows, strict=True))
    settings = {"batch_size": "choice", "seed": "choice"}
    definition = {"search": {"settings": settings, "conditional": {"batch_size": branches}}}
    study.set_user_attr(study_search.DEFINITION, definition | {"objective": "val_acc"})
    for size, name in ((16, "constant"), (32, "four_phase")):
        line = [f"batch_size={size}", f"scheduler={name}"]
        grid(study, {size: (0.9, 0.91 + size / 1000)}, {"overrides": line})
    found = arms(read_study("zipped", ADDRESS))
    assert [called(arm) for arm in found] == [
        "batch_size=32 scheduler=four_phase",
        "batch_size=16 scheduler=constant",
    ]


def test_seeds_that_failed_are_said_and_are_in_no_mean():
    grid(create("diverged"), {16: (0.99, 0.992), 32: (0.98, None, 0.99), 64: (None, None)})
    record = read_study("diverged", ADDRESS)
    text = markdown("diverged", sections(record, []))
    assert (
        "Without a value, and in no mean: batch_size=32 failed with seed 1; batch_size=64 failed "
        "with seeds 0, 1."
    ) in " ".join(text.split())


def test_a_search_without_an_axis_of_seeds_or_with_one_seed_each_has_no_arms(usual):
    assert arms(read_study(usual, ADDRESS)) == []
    grid(create("single"), {16: (0.99,), 32: (0.98,)})
    found = read_study("single", ADDRESS)
    assert arms(found) == []
    assert headline(found) is None
    assert leader(found) is None
    assert list(verdicts(found)) == []


def test_another_applications_losses_are_minimized_and_written_as_they_are():
    grid(create("losses", ["minimize"], objective=None), {1: (0.5, 0.6), 2: (1.5, 1.6)})
    found = read_study("losses", ADDRESS)
    assert headline(found).startswith(
        "The best of 2 configurations is batch_size=1: value 0.55 ± 0.64, the mean of 2 seeds"
    )
    assert list(verdicts(found)) == ["batch_size=1 is better than batch_size=2."]
    said = " ".join(markdown("losses", sections(found, [])).split())
    assert "of other seeds on the same data." in said
    assert "images" not in said
