"""What a sweep reads from an application's config."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.task_config import TaskConfig

OURS = {"study": None, "trial": None, "objective": "val_acc", "budget": {"max_parameters": 10}}


def application(config, directory="multirun/s"):
    choices = {"hydra": {"runtime": {"choices": {"model": "mlp"}}}}
    return TaskConfig(OmegaConf.create({**config, **choices}), directory)


@pytest.mark.parametrize(
    ("objective", "called"),
    [
        ("val_acc", "val_acc"),
        (["val_acc", "parameters"], "val_acc, parameters"),
        (None, "value"),
        (3, "value"),
        (True, "value"),
        ({"name": "loss"}, "value"),
        ("${nowhere}", "value"),
        (["${nowhere}"], "value"),
        (["val_acc", 3], "value"),
    ],
)
def test_the_objective_is_called_what_the_config_calls_it(objective, called):
    assert application({"objective": objective}).objective == called


def test_a_studys_definition_is_its_space_its_budget_and_its_objective():
    assert application(OURS).definition({"settings": {}}) == {
        "search": {"settings": {}},
        "budget": {"max_parameters": 10},
        "objective": "val_acc",
    }


@pytest.mark.parametrize("directory", ["multirun/s", "it's here", "back\\slash, and [more]"])
def test_a_jobs_directory_survives_hydras_grammar(directory):
    lines = application(OURS, directory).trial_overrides("s", 7)
    overrides = OverridesParser.create().parse_overrides(lines)
    values = {override.key_or_group: override.value() for override in overrides}
    assert {name: str(value) for name, value in values.items()} == {
        "study": "s",
        "trial": "7",
        "hydra.sweep.dir": directory,
        "hydra.sweep.subdir": "7",
    }


def test_another_applications_jobs_are_told_nothing():
    assert application({"x": 1}).trial_overrides("s", 7) == []


def test_a_run_of_ours_is_checked_before_its_sweep_and_another_applications_is_not(composed):
    ours = application(OmegaConf.to_container(composed("epochs=0")))
    with pytest.raises(SweepError, match="epochs must be at least 1, but got 0"):
        ours.check({"seed"})
    theirs = {"study": None, "trial": None, "seed": 1, "epochs": 0, "components": 100}
    application(theirs).check({"gamma"})


def test_settings_of_another_meaning_are_recorded_as_they_are():
    budget = {"of": "${size}", "to": "${nowhere}"}
    config = {"size": 3, "objective": {"size": "${size}"}, "budget": budget}
    definition = application(config).definition({})
    assert definition["objective"] == {"size": 3}
    assert definition["budget"] == budget


@pytest.mark.parametrize(
    ("config", "resumes"),
    [
        ({"resume": "run"}, False),
        ({**OURS, "resume": None}, False),
        ({**OURS, "resume": False}, False),
        ({**OURS, "resume": "run"}, True),
    ],
)
def test_a_run_is_resumed_by_an_application_of_ours_alone(config, resumes):
    assert application(config).resumes is resumes


@pytest.fixture
def composed_task(composed):
    """Return a function from overrides to the task of an application of ours."""

    def task(*overrides):
        config = OmegaConf.to_container(composed(*overrides))
        return TaskConfig(OmegaConf.create({**config, "hydra": {}}), "multirun/s")

    return task


def test_a_config_that_is_no_run_is_refused_before_anything_is_searched(composed_task):
    composed_task("model=linear").check([])
    with pytest.raises(SweepError, match="epochs") as error:
        composed_task("epochs=-1").check(["optimizer.lr"])
    assert "\n" not in str(error.value)


def test_what_is_searched_may_be_anything_in_the_composed_config(composed_task):
    for name in ("epochs", "+epochs", "++epochs"):
        composed_task("epochs=-1").check([name])


def test_another_applications_config_is_its_own_business():
    application({"epochs": -1}).check([])


def test_the_gate_judges_the_config_as_a_job_has_it():
    seen = []

    def gate(config, hydra):
        seen.append((sorted(config), sorted(hydra)))
        if config.budget.max_parameters < 11:
            raise UserError("too small")

    with pytest.raises(SweepError, match="too small"):
        application(OURS).judge(gate)
    application({**OURS, "budget": {"max_parameters": 11}}).judge(gate)
    assert seen == [(sorted(OURS), ["runtime"])] * 2


def test_another_application_that_names_its_trials_is_not_taken_for_this_one(composed):
    assert not application(OURS | {"data": {"window": 3}, "keep": 0.5}).ours
    assert TaskConfig(composed(), "multirun/s").ours
