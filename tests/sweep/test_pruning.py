from pathlib import Path

import pytest
from omegaconf import OmegaConf
from optuna import pruners

from mnist_sweep.sweep import conf
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.pruning import (
    build_pruner,
    computed_settings,
    why_off,
    with_settings,
)

# Patience and the signed-rank test are experimental to Optuna, which says so in a warning.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

FOLDER = Path(conf.__file__).parent / "hydra" / "sweeper" / "pruner"
CLASSES = {
    "hyperband": pruners.HyperbandPruner,
    "median": pruners.MedianPruner,
    "none": pruners.NopPruner,
    "patient": pruners.PatientPruner,
    "percentile": pruners.PercentilePruner,
    "successive_halving": pruners.SuccessiveHalvingPruner,
    "threshold": pruners.ThresholdPruner,
    "wilcoxon": pruners.WilcoxonPruner,
}
MEDIAN, NONE = pruners.MedianPruner(), pruners.NopPruner()


def target(name, **settings):
    return OmegaConf.create({"_target_": name, **settings})


def test_every_pruner_on_offer_is_tested_here():
    assert {file.stem for file in FOLDER.glob("*.yaml")} == CLASSES.keys()


@pytest.mark.parametrize(("name", "kind"), CLASSES.items())
def test_a_pruners_file_builds_it(name, kind):
    assert type(build_pruner(OmegaConf.load(FOLDER / f"{name}.yaml"))) is kind


def test_a_pruners_settings_reach_it():
    config = OmegaConf.load(FOLDER / "percentile.yaml")
    assert build_pruner(config)._percentile == 25.0
    config.percentile = 50.0
    assert build_pruner(config)._percentile == 50.0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"epochs": 9}, 9),
        ({}, "auto"),
        ({"epochs": None}, "auto"),
        ({"epochs": 0}, "auto"),
        ({"epochs": 9.0}, "auto"),
        ({"epochs": "9"}, "auto"),
        ({"epochs": {"warm": 1}}, "auto"),
        ({"epochs": "${oc.env:ONLY_IN_JOBS}"}, "auto"),
        ({"epochs": "???"}, "auto"),
    ],
    ids=str,
)
def test_hyperband_takes_a_trials_epochs_from_a_config_that_names_them(settings, expected):
    pruner = OmegaConf.load(FOLDER / "hyperband.yaml")
    config = OmegaConf.create({**settings, "hydra": {"sweeper": {"pruner": pruner}}})
    assert build_pruner(config.hydra.sweeper.pruner)._max_resource == expected


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        *((1, 2), (5, 2), (8, 2), (20, 3), (75, 12)),
        *((text, 2) for text in (None, 0, 9.0, "9", "${oc.env:ONLY_IN_JOBS}", "???")),
    ],
    ids=str,
)
def test_halving_begins_after_a_sixth_of_the_epochs_or_the_second(epochs, expected):
    pruner = OmegaConf.load(FOLDER / "successive_halving.yaml")
    config = OmegaConf.create({"epochs": epochs, "hydra": {"sweeper": {"pruner": pruner}}})
    assert build_pruner(config.hydra.sweeper.pruner)._min_resource == expected


def sweeps(pruner, **config):
    return OmegaConf.create({**config, "hydra": {"sweeper": {"pruner": pruner}}})


@pytest.mark.parametrize(
    ("searched", "first"), [([], 3), ([60, 6], 2), ([75, 40], 6), (["${x}", 30], 5)], ids=str
)
def test_each_job_has_the_rungs_of_the_shortest_trial_that_is_searched(searched, first):
    config = sweeps(OmegaConf.load(FOLDER / "successive_halving.yaml"), epochs=20)
    assert computed_settings(config, searched) == {"min_resource": first}
    assert config.epochs == 20


def test_each_job_of_hyperband_has_the_length_of_the_longest_trial_that_is_searched():
    config = sweeps(OmegaConf.load(FOLDER / "hyperband.yaml"), epochs=20)
    assert computed_settings(config) == {"max_resource": 20}
    assert computed_settings(config, [6, 60]) == {"max_resource": 60}
    found = with_settings(config.hydra.sweeper.pruner, computed_settings(config, [6, 60]))
    assert build_pruner(found)._max_resource == 60


@pytest.mark.parametrize("epochs", [None, "9", "${oc.env:ONLY_IN_JOBS}", "???"])
def test_what_only_a_job_can_compute_is_left_to_it(epochs):
    config = sweeps(OmegaConf.load(FOLDER / "hyperband.yaml"), epochs=epochs)
    assert computed_settings(config) == {}
    assert with_settings(config.hydra.sweeper.pruner, {}) == config.hydra.sweeper.pruner


def test_what_is_left_of_the_default_pruner_is_not_given_to_jobs():
    config = OmegaConf.load(FOLDER / "successive_halving.yaml")
    config = sweeps(
        {**config, "_target_": "optuna.pruners.ThresholdPruner", "lower": 0.5}, epochs=9
    )
    assert computed_settings(config) == {}


@pytest.mark.parametrize(
    "settings", [None, 5, [], {"min_resource": "x"}, {"other": 3}, {"reduction_factor": 9}], ids=str
)
def test_only_what_the_config_computes_is_taken_from_the_study(settings):
    config = sweeps(OmegaConf.load(FOLDER / "successive_halving.yaml"), epochs=20)
    pruner = build_pruner(with_settings(config.hydra.sweeper.pruner, settings))
    assert (pruner._min_resource, pruner._reduction_factor) == (3, 3)


def test_a_min_resource_of_the_users_own_stays():
    config = OmegaConf.load(FOLDER / "successive_halving.yaml")
    whole = OmegaConf.create({"epochs": 75, "first": "auto", "pruner": config})
    whole.pruner.min_resource = "${first}"
    assert build_pruner(whole.pruner)._min_resource is None  # Optuna's own choice
    whole.pruner.min_resource = 5
    assert build_pruner(whole.pruner)._min_resource == 5
    whole.pruner.min_resource = "${nowhere}"
    with pytest.raises(SweepError, match="nowhere"):
        build_pruner(whole.pruner)


def test_a_max_resource_of_the_users_own_is_not_mended():
    config = OmegaConf.load(FOLDER / "hyperband.yaml")
    config.max_resource = "many"
    with pytest.raises(SweepError, match="max_resource = many"):
        build_pruner(config)


@pytest.mark.parametrize("name", CLASSES)
def test_a_closed_config_such_as_hydra_composes_builds_every_pruner(name):
    config = OmegaConf.load(FOLDER / f"{name}.yaml")
    OmegaConf.set_struct(config, True)
    OmegaConf.set_readonly(config, True)
    whole = OmegaConf.create({"epochs": 4, "pruner": config}, flags={"struct": True})
    assert type(build_pruner(whole.pruner)) is CLASSES[name]


def test_no_config_is_no_pruning():
    assert type(build_pruner(None)) is pruners.NopPruner


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("os.system", "execution whitelist"),
        ("builtins.print", "MNIST_SWEEP_TARGETS=builtins.print"),
        ("optuna.create_study", "MNIST_SWEEP_TARGETS=optuna.create_study"),
        ("optuna.samplers.RandomSampler", "MNIST_SWEEP_TARGETS=optuna.samplers.RandomSampler"),
        ("optuna.prunersx.MedianPruner", "MNIST_SWEEP_TARGETS=optuna.prunersx.MedianPruner"),
        ("optuna.pruners.NoSuchPruner", "does not exist"),
        ("optuna.pruners._median.MedianPruner", "a name that begins with _ is private"),
    ],
)
def test_a_target_that_is_no_pruner_of_optunas_is_refused_in_one_line(name, reason):
    with pytest.raises(SweepError) as error:
        build_pruner(target(name))
    line = str(error.value)
    assert line.startswith(f"error: hydra.sweeper.pruner._target_={name}")
    assert reason in line
    assert "\n" not in line


def test_a_refused_target_is_never_called():
    with pytest.raises(SweepError, match=r"pathlib\.Path\.touch"):
        build_pruner(target("pathlib.Path.touch", _args_=["touched"]))
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (target("optuna.pruners.PercentilePruner", percentile=250.0), "between 0 and 100"),
        (target("optuna.pruners.MedianPruner", n_warmup_steps=-1), "cannot be negative"),
        (target("optuna.pruners.MedianPruner", patience=3), "patience"),
        (target("optuna.pruners.PatientPruner"), "wrapped_pruner"),
        (target("optuna.pruners.ThresholdPruner"), "lower"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line_that_has_them(config, reason):
    with pytest.raises(SweepError) as error:
        build_pruner(config)
    line = str(error.value)
    assert line.startswith(f"error: hydra.sweeper.pruner={OmegaConf.to_container(config)} cannot")
    assert reason in line.partition("cannot be built: ")[2]
    assert "\n" not in line


@pytest.mark.parametrize(
    "config",
    [target("optuna.pruners.MedianPruner", _partial_=True), OmegaConf.create({"patience": 3})],
    ids=["a partial", "no target"],
)
def test_what_builds_something_else_is_refused_in_one_line(config):
    with pytest.raises(SweepError, match="is not an Optuna pruner") as error:
        build_pruner(config)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("config", ["median", "optuna.pruners.MedianPruner", 3])
def test_a_pruner_that_is_no_config_is_refused_by_what_it_is(config):
    with pytest.raises(SweepError, match=f"hydra.sweeper.pruner={config}"):
        build_pruner(config)


UP, BOTH = ["maximize"], ["maximize", "minimize"]


@pytest.mark.parametrize(
    ("pruner", "directions", "shared", "objective", "reason"),
    [
        (MEDIAN, UP, True, "val_acc", None),
        (MEDIAN, ["minimize"], True, "val_loss", None),
        (MEDIAN, UP, True, None, None),
        (MEDIAN, UP, True, ["val_acc"], None),
        (MEDIAN, BOTH, True, ["val_acc", "parameters"], "a single objective"),
        (MEDIAN, UP, False, "val_acc", "hydra.sweeper.storage"),
        (MEDIAN, ["minimize"], True, "parameters", "objective=parameters"),
        (MEDIAN, ["minimize"], True, "multiply_adds", "objective=multiply_adds"),
        # Nobody is told why there is no pruning who did not ask for any.
        (NONE, BOTH, True, ["val_acc", "parameters"], None),
        (NONE, UP, False, "val_acc", None),
        (NONE, ["minimize"], True, "parameters", None),
    ],
)
def test_where_pruning_makes_no_sense_the_reason_is_said(
    pruner, directions, shared, objective, reason
):
    said = why_off(pruner, directions, shared, objective)
    if reason is None:
        assert said is None
    else:
        assert reason in said
