"""The first thing that a report says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_sweep.report.answer import answer
from mnist_sweep.report.blocks import Commands, Headline, Picture, Points
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.study_record import read_study
from tests.report.conftest import ADDRESS, add, create, ran, stored

DRAWN = {name: Picture(name, name) for name in ("leaders", "history", "parameters", "confirmed-1")}


def said(name, confirmed=()):
    """The headline, the lines below it, the commands by what they are, and the picture."""
    record = read_study(name, ADDRESS)
    drawn = {name: each for name, each in DRAWN.items() if record.ours or name != "leaders"}
    blocks = answer(record, confirmed, drawn)
    kinds = {type(block): block for block in blocks}
    commands = dict(kinds[Commands].lines) if Commands in kinds else {}
    picture = kinds[Picture].name if Picture in kinds else None
    return kinds[Headline].text, list(kinds[Points].lines), commands, picture


@pytest.fixture
def judged(usual):
    """Three complete trials, judged by 500 images, the runs of two of them here."""
    study = create("judged")
    for number, accuracy in enumerate((0.9, 0.97, 0.962)):
        folder = Path(f"multirun/judged/{number}")
        known = ran(number, parameters=10_000, val_acc=accuracy, run_directory=str(folder))
        add(study, "complete", accuracy, **known)
        if number:
            folder.mkdir(parents=True)
            result = {"data": {"name": "mnist_5k", "sizes": {"train": 4000, "val": 500}}}
            (folder / "result.json").write_text(json.dumps(result))
    return "judged"


def test_before_a_confirmation_the_images_alone_say_how_sure_the_best_is(judged):
    headline, lines, commands, picture = said(judged)
    assert headline == (
        "Trial 1 leads with 97.0% of 500 validation images (95.1% to 98.2% on other images, "
        "95%), with 10,000 parameters, 50% of the budget."
    )
    assert lines[0] == (
        "1 of 2 other complete configurations cannot be told from it by these images; one image is "
        "0.2 points"
    )
    assert lines[1].startswith("not confirmed with fresh seeds")
    assert lines[-1].startswith("it cost 3 trials")
    assert list(commands) == ["confirm the best with fresh seeds", "train it once more"]
    assert picture == "leaders"


def test_a_model_can_be_exported_where_its_weights_are(judged):
    weights = Path("multirun/judged/1/checkpoints/best.safetensors")
    weights.parent.mkdir()
    weights.touch()
    _, _, commands, _ = said(judged)
    assert commands["export it"] == (
        "python -m mnist_sweep.export run=multirun/judged/1 to=multirun/judged/bundles/trial-1"
    )


def test_without_a_run_to_ask_the_number_of_images_is_not_made_up(judged):
    for number in (1, 2):
        Path(f"multirun/judged/{number}/result.json").unlink()
    headline, lines, _, _ = said(judged)
    assert headline.startswith("Trial 1 leads with 97.00% validation accuracy, with 10,000")
    assert lines[0] == "the next is trial 2 with 96.20%"


def test_a_confirmation_speaks_first(usual, confirmed):
    headline, lines, _, picture = said(usual, [confirmed])
    assert headline == (
        "Trial 2: test accuracy 97.00 ± 1.00% over 3 fresh seeds (95%; 500 test images of "
        "mnist_5k), with 18,000 parameters, 90% of the budget."
    )
    assert lines[0].startswith("no default configuration to compare with")
    assert lines[1] == "better than trial 6: +3.00 points of test accuracy (+1.00 to +5.00)"
    assert picture == "confirmed-1"


def test_epochs_are_said_where_fresh_seeds_were_trained_for_others_than_the_search(
    usual, confirmed
):
    confirmed.standings[:] = [replace(each, epochs=20) for each in confirmed.standings]
    headline, _, _, _ = said(usual, [confirmed])
    assert headline.endswith("90% of the budget, trained for 20 epochs, where the search had 4.")
    confirmed.standings[0] = replace(confirmed.standings[0], title="default", epochs=1)
    headline, _, _, _ = said(usual, [confirmed])
    assert headline.endswith("trained for 1 epoch, where the search had 4.")


def test_the_other_confirmations_are_named(usual, confirmed):
    other = replace(confirmed, data="mnist", images=10_000, standings=confirmed.standings[::-1])
    headline, lines, _, _ = said(usual, [other, confirmed])
    assert headline.startswith("Trial 6: ")
    assert (
        "another confirmation, 4 epochs on mnist_5k with 500 test images, is below: there trial 2 "
        "leads"
    ) in lines


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, "is not in the confirmation: confirm again"),
        (
            {"unsettled": ["trial 9"]},
            "was confirmed, but nothing can be said: too many of its seeds diverged",
        ),
        (
            {"unsettled": ["trial 9"], "missing": {"trial 9": 4}},
            "has too few fresh seeds to be judged: the confirmation's command with more hours= "
            "trains the others",
        ),
    ],
)
def test_why_the_trial_that_leads_has_no_standing_is_said(usual, confirmed, known, why):
    add(stored(usual), "complete", 0.99, **ran(9))
    _, lines, _, _ = said(usual, [replace(confirmed, **known)])
    assert f"trial 9, which leads the study by now, {why}" in lines


def test_the_default_and_the_runner_up_are_compared_once_where_they_are_one(usual, confirmed):
    _, lines, _, _ = said(usual, [replace(confirmed, default="trial 6")])
    assert lines[0].startswith("better than the default: +3.00")
    assert sum("better than" in line for line in lines) == 1


def test_the_trial_that_was_confirmed_first_is_the_one_to_train_again(usual, confirmed):
    confirmed.standings.reverse()
    _, _, commands, _ = said(usual, [confirmed])
    assert "seed=6" in commands["train it once more"]


def test_another_applications_study_has_its_own_words(usual):
    study = create("svm", objective="score", budget=False)
    command = {"words": ["python", "svm.py"], "options": [], "environment": {}}
    study.set_user_attr(study_store.COMMAND, command)
    for number, score in enumerate((0.5, 0.75)):
        add(study, "complete", score, overrides=[f"svm.C={number}"])
    headline, lines, commands, picture = said("svm")
    assert headline == "Trial 1 leads 2 complete trials with score 0.75."
    assert lines[0] == "the next is trial 0 with 0.5"
    assert not any("image" in line or "seed" in line for line in lines)
    assert commands == {"run it once more": "python svm.py svm.C=1"}
    assert picture == "history"  # there are no images to judge by


def test_a_front_is_told_by_its_ends(usual):
    study = create("front", ["maximize", "minimize"], ["val_acc", "parameters"])
    for size, accuracy in ((9_000, 0.97), (4_000, 0.9), (6_000, 0.95), (8_000, 0.8)):
        add(study, "complete", (accuracy, float(size)), **ran(0, parameters=size))
    headline, _, _, picture = said("front")
    assert headline == (
        "3 configurations are on the front: trial 1 (val_acc 90.00%, parameters 4,000), up to "
        "trial 0 (val_acc 97.00%, parameters 9,000)."
    )
    assert picture == "parameters"


def test_before_a_trial_has_ended_nothing_is_said_of_the_budget(usual):
    study = create("empty")
    study.ask()
    headline, lines, commands, _ = said("empty")
    assert headline == "No trial has ended yet."
    assert (lines, commands) == ([], {})


def test_where_all_have_failed_the_first_reason_is_said(usual):
    study = create("failed")
    add(study, "rejected", excess=400.0, parameters=20_399)
    add(study, "failed", reason="no such\nfile", **ran(1))
    add(study, "failed", reason="diverged", **ran(2))
    assert said("failed")[0] == (
        "No trial is complete: 2 failed, 1 rejected; the first failure is of trial 1: no such file."
    )


@pytest.mark.parametrize(
    ("budget", "headline"),
    [
        (True, "None of 2 complete trials fits the budget."),
        (False, "None of 2 complete trials meets the constraints."),
    ],
)
def test_complete_trials_of_which_none_is_feasible_are_counted(usual, budget, headline):
    study = create("infeasible", budget=budget)
    for value in (0.8, 0.9):
        add(study, "complete", value, excess=1.0)
    assert said("infeasible")[0] == headline
