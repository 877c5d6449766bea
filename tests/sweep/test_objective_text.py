"""How a study's objective is written."""

import optuna
import pytest

from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.study_store import DATA


def facts(images):
    return {"data": {"sizes": {"train": 4_000, "val": images, "test": 500}}}


@pytest.mark.parametrize(("images", "expected"), [(500, "97.0%"), (10_000, "97.00%")])
def test_an_accuracy_has_the_digits_that_its_images_can_tell_apart(images, expected):
    written = ObjectiveText(["val_acc"])
    written.learn(facts(images))
    assert written.one(0.97) == expected
    assert written.is_accuracy()


def test_an_objective_of_another_application_is_written_as_it_is_also_by_our_name():
    written = ObjectiveText(["val_acc"])
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(value=1.0))
    written.recognize(study.trials[0])
    assert written.one(0.97) == "0.97"
    assert not written.is_accuracy()
    assert ObjectiveText([]).named([1.0]) == "value 1"
    assert ObjectiveText([]).named([1.0, 2.0]) == "values 1, 2"
    assert ObjectiveText([]).all([1.0, 1e-7]) == "1, 1e-07"


def test_a_study_of_ours_is_known_by_its_trials_whose_runs_are_elsewhere():
    written = ObjectiveText(["val_acc"])
    written.recognize(optuna.trial.create_trial(value=1.0, user_attrs={DATA: "abc"}))
    assert written.one(0.97) == "97.00%"


def test_each_of_several_objectives_is_written_in_its_own_way():
    written = ObjectiveText(["val_acc", "parameters", "val_loss"])
    written.learn(facts(500))
    assert written.all([0.97, 13441.0, 0.082511]) == "97.0%, 13,441, 0.082511"
    assert written.named([0.97, 13441.0, 0.08]) == "val_acc 97.0%, parameters 13,441, val_loss 0.08"


@pytest.mark.parametrize("data", [None, {}, {"sizes": 3}, {"sizes": {"val": "many"}}])
def test_a_damaged_record_leaves_the_usual_digits(data):
    written = ObjectiveText(["val_acc"])
    written.learn({"data": data})
    assert written.one(0.5) == "50.00%"
