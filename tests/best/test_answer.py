"""The answer that a study and its confirmation give."""

import json
from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial

from mnist_sweep.best.answer import confirmed_runs, find, lines
from mnist_sweep.best.question import QuestionError, read_question
from mnist_sweep.confirm.conclusion import Comparison, Conclusion, Standing, write_conclusion
from mnist_sweep.confirm.intervals import Interval
from tests.conftest import open_database

STORAGE = "sqlite:///optuna.db"
STUDY = "mlp-mnist_5k"
HOME = Path("multirun", STUDY)
ASKED = ["search=command_line", "model=mlp", "data=mnist_5k", "model.hidden=range(5,30)"]


@pytest.fixture
def study():
    """Return a function that leaves a study of some trials: their hidden units and their status."""

    def leave(*trials):
        found = optuna.create_study(
            study_name=STUDY, storage=open_database(STORAGE), direction="maximize"
        )
        for number, (hidden, status) in enumerate(trials):
            directory = HOME / str(number)
            (directory / ".hydra").mkdir(parents=True)
            attributes = {"status": status, "run_directory": str(directory), "parameters": 8_000}
            states = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL}
            state = states.get(status, TrialState.PRUNED)
            found.add_trial(
                create_trial(
                    state=state,
                    value=0.9 if state == TrialState.COMPLETE else None,
                    params={"model.hidden": hidden},
                    distributions={"model.hidden": IntDistribution(5, 29)},
                    user_attrs=attributes,
                )
            )

    return leave


def standing(title, test_acc):
    interval = Interval(test_acc, test_acc - 0.01, test_acc + 0.01)
    seeds, accuracies = [1000, 1001], [test_acc, test_acc]
    figures = (interval, interval, interval)
    return Standing(title, "mlp", 8_000, 2, None, seeds, accuracies, [], *figures)


def confirm(
    *titles,
    difference=0.01,
    low=-0.01,
    high=0.03,
    default="trial 0",
    missing=None,
    equivalent=False,
):
    """Leave a confirmation, the first of which leads; its seed 1001 is better on validation."""
    folder = HOME / "confirmation"
    for title in titles:
        for seed, val_acc in ((1000, 0.91), (1001, 0.92)):
            run = folder / title.replace(" ", "-") / str(seed)
            run.mkdir(parents=True)
            (run / "result.json").write_text(json.dumps({"status": "complete", "val_acc": val_acc}))
    compared = [
        Comparison(title, 2, Interval(difference, low, high), equivalent=equivalent)
        for title in titles[1:]
    ]
    conclusion = Conclusion(
        data="mnist_5k",
        images=500,
        ranked_by="val_acc",
        level=0.95,
        standings=[standing(title, 0.9) for title in titles],
        comparisons=compared,
        unsettled=[],
        margin=0.0005,
        default=default,
        missing=missing or {},
    )
    write_conclusion(conclusion, folder)


def answered():
    question = read_question(ASKED)
    return list(lines(question, find(question, STORAGE), 3725.0))


def test_the_answer_is_five_lines_of_what_how_good_compared_cost_and_use(study):
    study((25, "complete"), (12, "complete"), (9, "pruned"))
    confirm("trial 1", "trial 0")
    assert answered() == [
        f"answer: mlp, 8,000 parameters of at most 19,999: trial 1 of study {STUDY}",
        "  test accuracy 90.00 ± 1.00% over 2 fresh seeds (95%; 500 test images of mnist_5k)",
        "  cannot be told apart from the default: +1.00 points of test accuracy (-1.00 to +3.00)",
        "  it took 1h02m: 3 trials (1 pruned), 4 runs to confirm",
        f"  use it: python -m mnist_sweep.predict bundle=multirun/{STUDY}/bundles/"
        "trial-1-seed-1001 images=digit.png",
    ]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.001, 0.03, "better than the default: +1.00 points of test accuracy (+0.10 to +3.00)"),
        (-0.03, -0.01, "worse than the default on test images, though better on validation"),
    ],
)
def test_a_difference_from_the_default_is_said_with_its_interval(study, low, high, said):
    study((25, "complete"), (12, "complete"))
    confirm("trial 1", "trial 0", low=low, high=high)
    assert said in answered()[2]


def test_the_default_may_win(study):
    study((25, "complete"), (12, "complete"))
    confirm("trial 0", "trial 1")
    said = "it is the default configuration: of the one compared with it, none is better"
    assert answered()[2] == f"  {said}"


def test_a_default_that_is_best_on_validation_images_alone_is_said_to_be_worse(study):
    study((25, "complete"), (12, "complete"))
    confirm("trial 0", "trial 1", low=-0.03, high=-0.01)
    said = "it is the default configuration, but worse than trial 1 on test images"
    assert said in answered()[2]


def test_fresh_runs_that_were_removed_are_one_line_that_says_what_to_do(study):
    study((25, "complete"), (12, "complete"))
    confirm("trial 1", "trial 0")
    for result in HOME.glob("confirmation/*/*/result.json"):
        result.unlink()
    with pytest.raises(QuestionError, match=r"are gone, .* delete .*confirmation\.json"):
        answered()


def test_that_there_is_no_default_to_compare_with_is_said(study):
    study((25, "rejected"), (12, "complete"))
    confirm("trial 1", default=None)
    assert "no default configuration to compare with" in answered()[2]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({}, "too many seeds of the default configuration diverged"),
        ({"trial 0": 1}, "has too few seeds to compare with: give more hours="),
    ],
)
def test_why_the_default_is_not_compared_is_said(study, missing, said):
    study((25, "complete"), (12, "complete"))
    confirm("trial 1", missing=missing)
    assert said in answered()[2]


def test_a_difference_within_the_margin_is_said_to_be_equivalent(study):
    study((25, "complete"), (12, "complete"))
    confirm("trial 1", "trial 0", low=-0.0001, high=0.0003, difference=0.0001, equivalent=True)
    assert answered()[2] == (
        "  equivalent to the default within 0.05 points: +0.01 points of test accuracy "
        "(-0.01 to +0.03)"
    )


def test_runs_that_are_complete_count_as_confirmed(study):
    study((25, "complete"))
    question = read_question(ASKED)
    assert confirmed_runs(question) == 0
    confirm("trial 0")
    assert confirmed_runs(question) == 2


def test_nothing_confirmed_is_one_line_that_asks_for_more_hours(study):
    study((25, "complete"))
    question = read_question(ASKED)
    with pytest.raises(QuestionError, match=r"nothing is confirmed .* give more hours="):
        find(question, STORAGE)


def test_the_winners_bundle_is_of_the_seed_that_is_best_on_validation_images(study):
    study((25, "complete"))
    confirm("trial 0")
    found = find(read_question(ASKED), STORAGE)
    assert found.run == HOME / "confirmation" / "trial-0" / "1001"
