"""Which values a setting may have, by itself."""

from dataclasses import fields

import pytest
from hydra import compose, initialize_config_dir

from mnist_sweep import conf
from mnist_sweep.allowed_values import ALLOWED, at_least, objections, one_of
from mnist_sweep.config import RunConfig
from mnist_sweep.config_checks import check
from mnist_sweep.hydra_part import config_directory


@pytest.fixture
def run():
    conf.register()
    with initialize_config_dir(config_directory()):
        return check(compose("config"))


def test_the_defaults_are_allowed(run):
    assert list(objections(run)) == []


def test_every_name_is_a_settings(run):
    for name in ALLOWED:
        found = run
        for part in name.split("."):
            assert part in {field.name for field in fields(found)}
            found = getattr(found, part)


def test_an_objection_names_the_setting_and_echoes_the_value(run):
    run.epochs, run.device, run.data.std = 0, "tpu", float("inf")
    assert list(objections(run)) == [
        "epochs must be at least 1, but got 0",
        "data.std must be finite, but got inf",
        "device must be one of auto, cpu, cuda, but got 'tpu'",
    ]


def test_each_of_a_list_is_judged(run):
    run.objective = ["val_acc", "speed", None]
    said = [text.rpartition("but got ")[2] for text in objections(run)]
    assert said == ["'speed'", "None"]


def test_none_is_no_choice_and_otherwise_what_the_type_says():
    assert at_least(1).objection("threads", None) is None
    assert one_of(("a", "b")).objection("x", None) == "x must be one of a, b, but got None"


@pytest.mark.parametrize("name", sorted(name for name in ALLOWED if "." not in name))
def test_the_schema_has_the_setting(name):
    assert name in {field.name for field in fields(RunConfig)}
