import pytest
from omegaconf import OmegaConf

from mnist_sweep.sweep.space.resolved import digest_of
from mnist_sweep.sweep.study_search import VOLATILE

CONFIG = {"study": "s", "trial": 1, "lease": None, "lr": 0.1, "data": {"name": "m", "root": "a"}}


def digest(changes, ignored=()):
    return digest_of(OmegaConf.merge(CONFIG, changes), ignored)


@pytest.mark.parametrize(
    "changes", [{"trial": 2}, {"study": "other"}, {"lease": "a1"}, {"lr": "${twice}", "twice": 0.1}]
)
def test_what_tells_which_trial_it_is_and_how_a_value_is_written_make_no_other_configuration(
    changes,
):
    with_twice = {"twice": 0.1} if "twice" in changes else {}
    assert digest(changes) == digest(with_twice)


@pytest.mark.parametrize("changes", [{"lr": 0.2}, {"seed": 1}, {"data": {"name": "n"}}])
def test_any_other_setting_makes_another_configuration(changes):
    assert digest(changes) != digest({})


def test_an_ignored_setting_and_what_is_below_it_make_no_other_configuration():
    elsewhere = {"data": {"root": "b"}, "tracking": {"name": "mlflow"}}
    assert digest(elsewhere, ("data.root", "tracking", "no.such.setting")) == digest(
        {}, ("data.root",)
    )
    assert digest(elsewhere, ("data.root",)) != digest({}, ("data.root",))


def test_a_runs_name_and_notes_make_no_other_configuration():
    named = {"name": "second try", "notes": "after lunch"}
    assert digest(named, VOLATILE) == digest({}, VOLATILE)


def test_a_config_that_cannot_be_resolved_has_no_digest():
    assert digest({"lr": "${nowhere}"}) is None


def test_keys_of_several_kinds_in_one_mapping_have_digits():
    config = OmegaConf.create({"weights": {1: 0.5, "a": 0.5}})
    assert digest_of(config) == digest_of(config.copy())
    assert digest_of(config) != digest_of(OmegaConf.create({"weights": {2: 0.5, "a": 0.5}}))
