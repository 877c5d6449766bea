from functools import partial

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import GridSampler, RandomSampler

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.enqueue import default_configuration, enqueue
from mnist_sweep.sweep.space.parsing import parse_space

PARAMS = {
    "lr": "tag(log, interval(0.001, 0.1))",
    "hidden": "range(10, 61, step=10)",
    "batch_size": "choice(16, 32, 64)",
    "fused": "choice(true, false)",
    "scheduler": "choice(four_phase, cosine, constant)",
}
CONDITIONAL = {
    "scheduler": {
        "four_phase": {"scheduler.factor": "interval(0.1, 0.7)"},
        "cosine": {"scheduler.floor": "interval(0.0, 0.3)"},
    }
}
DEFAULT = {
    "lr": 0.01,
    "hidden": 30,
    "batch_size": 32,
    "fused": True,
    "scheduler": "four_phase",
    "scheduler.factor": 0.33,
}


def space(**params):
    return parse_space(PARAMS | params, CONDITIONAL, [])


def config(scheduler="four_phase", settings=None, **values):
    """A composed config: its values, the settings of its scheduler, and which that is."""
    plain = {"lr": 0.01, "hidden": 30, "batch_size": 32, "fused": True, **values}
    plain["scheduler"] = {"factor": 0.33, "floor": 0.1} if settings is None else settings
    choices = {"scheduler": scheduler, "experiment": None}
    return BaseConfig(OmegaConf.create({**plain, "hydra": {"runtime": {"choices": choices}}}))


def create():
    return optuna.create_study(sampler=RandomSampler(seed=0))


def queued(study):
    """What waits in a study."""
    return [trial.system_attrs["fixed_params"] for trial in study.trials]


def test_the_default_configuration_is_queued_first_in_a_new_study():
    study = create()
    enqueue(study, space(), config(), [{"lr": 0.05}], default_first=True)
    assert queued(study) == [DEFAULT, {"lr": 0.05}]


def test_the_default_configuration_is_what_the_first_trial_is_launched_with():
    study = create()
    enqueue(study, space(), config(), [], default_first=True)
    first = study.ask()
    overrides = space().walk(partial(suggest, first), config())
    assert first.params == DEFAULT
    assert {"scheduler=four_phase", "scheduler.factor=0.33", "fused=true"} <= set(overrides)


def test_a_study_that_has_trials_gets_no_default_configuration():
    study = create()
    study.ask()
    enqueue(study, space(), config(), [], default_first=True)
    assert len(study.trials) == 1


def test_the_default_configuration_can_be_left_out():
    study = create()
    enqueue(study, space(), config(), [{"lr": 0.05}], default_first=False)
    assert queued(study) == [{"lr": 0.05}]


def test_a_default_configuration_of_which_nothing_is_searched_is_not_queued():
    study = create()
    outside = parse_space({"lr": "interval(0.5, 0.6)"}, None, [])
    enqueue(study, outside, config(), [], default_first=True)
    assert study.trials == []


@pytest.mark.parametrize(
    ("values", "left_out"),
    [
        ({"lr": 0.5}, {"lr"}),
        ({"lr": None}, {"lr"}),
        ({"lr": "fast"}, {"lr"}),
        ({"hidden": 35}, {"hidden"}),  # between two steps
        ({"hidden": 70}, {"hidden"}),
        ({"batch_size": 48}, {"batch_size"}),
        ({"settings": {"factor": 0.9}}, {"scheduler.factor"}),
        ({"settings": {}}, {"scheduler.factor"}),
        ({"lr": 0.001, "hidden": 60}, set()),  # the ends belong to it
    ],
)
def test_values_out_of_the_space_are_left_out_of_the_default_configuration(values, left_out):
    assert DEFAULT.keys() - default_configuration(space(), config(**values)).keys() == left_out


@pytest.mark.parametrize(
    ("scheduler", "inner"),
    [
        ("four_phase", {"scheduler.factor": 0.33}),
        ("cosine", {"scheduler.floor": 0.1}),
        ("constant", {}),
    ],
)
def test_conditional_settings_follow_the_branch_of_the_default_choice(scheduler, inner):
    default = default_configuration(space(), config(scheduler))
    assert default["scheduler"] == scheduler
    assert {name: v for name, v in default.items() if name.startswith("scheduler.")} == inner


def test_conditional_settings_follow_a_choice_that_is_fixed():
    fixed = parse_space(PARAMS, CONDITIONAL, ["scheduler=cosine"])
    default = default_configuration(fixed, config("cosine"))
    assert default["scheduler.floor"] == 0.1
    assert not {"scheduler", "scheduler.factor"} & default.keys()


def test_conditional_settings_follow_a_choice_that_is_not_searched_at_all():
    unsaid = parse_space({}, CONDITIONAL, [])
    assert default_configuration(unsaid, config("cosine")) == {"scheduler.floor": 0.1}


@pytest.mark.parametrize(
    ("conditional", "arguments"),
    [
        (CONDITIONAL, ["scheduler=choice(four_phase, cosine)"]),
        (CONDITIONAL, ["scheduler=four_phase"]),
        (CONDITIONAL, []),
        (CONDITIONAL, ["scheduler=choice(cosine, constant)"]),  # without the default choice
        ({"fused": {True: {"lr": "interval(0, 1)"}}}, ["fused=choice(true, false)"]),
        ({"fused": {"true": {"lr": "interval(0, 1)"}}}, ["fused=choice(true, false)"]),
        ({"fused": {True: {"lr": "interval(0, 1)"}}}, ["fused=true"]),
        ({"fused": {"true": {"lr": "interval(0, 1)"}}}, ["fused=true"]),
        ({"hidden": {30: {"lr": "interval(0, 1)"}}}, ["hidden=choice(20, 30)"]),
        ({"hidden": {30: {"lr": "interval(0, 1)"}}}, []),  # no group and not searched
    ],
)
def test_whatever_is_queued_is_taken_by_the_trial_that_is_asked_for(conditional, arguments):
    searched = parse_space({"batch_size": "choice(16, 32)"}, conditional, arguments)
    study = create()
    enqueue(study, searched, config(), [], default_first=True)
    (waiting,) = queued(study)
    trial = study.ask()
    searched.walk(partial(suggest, trial), config())
    assert waiting.items() <= trial.params.items()


@pytest.mark.parametrize("key", [True, "true"])
def test_conditional_settings_follow_a_choice_that_is_true(key):
    conditional = {"fused": {key: {"lr": "interval(0, 1)"}}}
    searched = parse_space({"fused": "choice(true, false)"}, conditional, [])
    assert default_configuration(searched, config()) == {"fused": True, "lr": 0.01}
    assert default_configuration(searched, config(fused=False)) == {"fused": False}


def test_a_setting_that_is_added_is_looked_up_by_its_name():
    added = parse_space({}, None, ["+lr=interval(0.001, 0.1)", "++hidden=range(10,61)"])
    assert default_configuration(added, config()) == {"+lr": 0.01, "++hidden": 30}


@pytest.mark.parametrize(
    ("value", "choices", "found"),
    [
        (32, "choice(16, 32)", 32),
        (0.0, "choice(0, 0.01)", 0),
        (0, "choice(0.0, 0.01)", 0.0),
        ("32", "choice(16, '32')", "'32'"),
        ("32", "choice(32, '32')", "'32'"),
        (32, "choice('32', 32)", 32),
        (True, "choice(true, false)", True),
        (True, "choice(1, true)", "true"),
        (1, "choice(true, 1)", 1),
        (0.1, "choice(0.1, 0.2)", 0.1),
        (0.001, "choice(1e-3, 2e-3)", 0.001),
        ("adam", "choice(sgd, 'adam')", "adam"),
        ("null", "'null',5", "'null'"),
        (None, "null,5", "null"),
        ("", "choice('', a)", ""),
        ("a b", "choice('a b', 'c')", "a b"),
        ([[4, 4], [8, 8]], "choice([[4,4],[8,8]],[[1]])", "[[4,4],[8,8]]"),
        ([0.0, "a"], "choice([0,a],[1])", "[0,a]"),
        ({"a": 1}, "choice({a:1},{a:2})", "{a:1}"),
    ],
)
def test_choices_match_by_the_values_that_they_are(value, choices, found):
    default = default_configuration(
        parse_space({"setting": choices}, None, []),
        BaseConfig(OmegaConf.create({"setting": value, "hydra": {"runtime": {"choices": {}}}})),
    )
    assert default == {"setting": found}
    assert type(default["setting"]) is type(found)


@pytest.mark.parametrize(
    ("value", "choices"),
    [
        ("32", "choice(16, 32)"),
        (32, "choice('16', '32')"),
        (1, "choice(true, false)"),
        (True, "choice(0, 1)"),
        ("false", "choice(true, false)"),
        (None, "choice('null', 5)"),
        ([1], "choice(1, 2)"),
        (True, "range(0, 5)"),
        ("3", "range(0, 5)"),
        (3.5, "range(0, 5)"),
    ],
)
def test_a_value_of_another_kind_is_not_the_default(value, choices):
    config = OmegaConf.create({"setting": value, "hydra": {"runtime": {"choices": {}}}})
    assert (
        default_configuration(parse_space({"setting": choices}, None, []), BaseConfig(config)) == {}
    )


def test_null_is_a_choice_where_the_space_has_it():
    # Hydra's sweeper has it as text.
    searched = parse_space({}, None, ["patience=null,5"])
    assert default_configuration(searched, config(patience=None)) == {"patience": "null"}
    study = create()
    enqueue(study, searched, config(patience=5), [{"patience": None}], default_first=False)
    assert queued(study) == [{"patience": "null"}]


@pytest.mark.parametrize(
    ("chosen", "stored"),
    [
        ({"lr": 0.05, "hidden": 20}, {"lr": 0.05, "hidden": 20}),
        ({"hidden": 20.0}, {"hidden": 20}),
        ({"batch_size": 16.0, "fused": False}, {"batch_size": 16, "fused": False}),
        (
            {"scheduler": "cosine", "scheduler.floor": 0.2},
            {"scheduler": "cosine", "scheduler.floor": 0.2},
        ),
        (OmegaConf.create({"lr": 0.05}), {"lr": 0.05}),
        ({}, {}),
    ],
)
def test_users_configurations_are_queued_as_the_space_has_them(chosen, stored):
    study = create()
    enqueue(study, space(), config(), [chosen], default_first=False)
    assert queued(study) == [stored]


def test_a_config_list_of_configurations_is_queued():
    study = create()
    enqueue(study, space(), config(), OmegaConf.create([{"lr": 0.05}, {"lr": 0.06}]), False)
    assert queued(study) == [{"lr": 0.05}, {"lr": 0.06}]


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"lr": 0.5}, "lr=0.5 is outside the space's FloatDistribution"),
        ({"lr": "fast"}, "lr=fast is outside"),
        ({"lr": None}, "lr=null is outside"),
        ({"hidden": 35}, "hidden=35 is outside"),
        ({"hidden": None}, "hidden=null is outside"),
        ({"batch_size": 48}, "batch_size=48 is outside"),
        ({"batch_size": None}, "batch_size=null is outside"),
        ({"hidden": "20"}, "hidden='20' is outside"),
        ({"batch_size": "16"}, "batch_size='16' is outside"),
        ({"fused": 1}, "fused=1 is outside"),
        ({"epochs": 3}, "epochs=3 is not searched here; searched are batch_size, fused,"),
        ({"scheduler.floor": 0.1}, "scheduler.floor=0.1 is not searched here"),
        ({"scheduler": "cosine", "scheduler.factor": 0.5}, "scheduler.factor=0.5 is not searched"),
        ({"scheduler": "cosine", "scheduler.floor": 0.9}, "scheduler.floor=0.9 is outside"),
        ("lr=0.5", "must map settings to values, but got 'lr=0.5'"),
        (None, "must map settings to values, but got None"),
    ],
)
def test_a_configuration_that_the_space_does_not_have_is_named(chosen, reason):
    study = create()
    with pytest.raises(SweepError) as error:
        enqueue(study, space(), config(), [{"lr": 0.05}, chosen], default_first=True)
    line = str(error.value)
    assert line.startswith("error: hydra.sweeper.enqueue[1]")
    assert reason in line
    assert "\n" not in line
    assert study.trials == []  # a command that is put right begins with a new study


def test_a_configuration_is_queued_once_over_all_calls():
    study = create()
    chosen = [{"lr": 0.05}, {"lr": 0.06}, {"lr": 0.05}]
    for _ in range(2):
        enqueue(study, space(), config(), chosen, default_first=True)
    assert queued(study) == [DEFAULT, {"lr": 0.05}, {"lr": 0.06}]
    trial = study.ask()
    space().walk(partial(suggest, trial), config())
    study.tell(trial, 0.5)
    enqueue(study, space(), config(), [*chosen, {"lr": 0.07}], default_first=True)
    assert queued(study)[2:] == [{"lr": 0.06}, {"lr": 0.07}]


def test_the_default_configuration_is_not_queued_again_as_a_users():
    study = create()
    enqueue(study, space(), config(), [DEFAULT], default_first=True)
    assert queued(study) == [DEFAULT]


def test_a_grid_has_its_own_points_and_no_others():
    study = optuna.create_study(sampler=GridSampler({"batch_size": [16, 32]}))
    enqueue(study, space(), config(), [], default_first=True)
    assert study.trials == []
    with pytest.raises(SweepError, match=r"hydra\.sweeper\.enqueue: a grid"):
        enqueue(study, space(), config(), [{"batch_size": 16}], default_first=True)


def test_the_spaces_here_are_what_they_are_taken_for():
    searched = space().searched()
    assert searched["batch_size"] == CategoricalDistribution((16, 32, 64))
    assert searched["lr"] == FloatDistribution(0.001, 0.1, log=True)
