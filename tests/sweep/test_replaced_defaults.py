"""Pruners and samplers that a config names by `_target_` over the default one's settings."""

from pathlib import Path

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra_plugins.hydra_optuna_sweeper import config as stock
from omegaconf import OmegaConf
from optuna import pruners, samplers

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.pruning import build_pruner
from mnist_sweep.sweep.replaced_defaults import SAMPLER, own_settings
from mnist_sweep.sweep.sweeper import BudgetSweeper

pytestmark = pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning", "ignore:.*has been deprecated:FutureWarning"
)


@pytest.fixture
def sweeper(tmp_path):
    """Return a function from an application's sweeper settings to the composed ones."""

    def composed(settings, *overrides):
        defaults = ["_self_", {"override hydra/sweeper": "mnist_sweep"}]
        config = {"defaults": defaults, "epochs": 7, "hydra": {"sweeper": settings}}
        (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
        with initialize_config_dir(str(tmp_path)):
            whole = compose("config", overrides=list(overrides), return_hydra_config=True)
        return whole.hydra.sweeper

    return composed


def pruner(name, **settings):
    return {"pruner": {"_target_": f"optuna.pruners.{name}", **settings}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (pruner("NopPruner"), {}),
        (pruner("MedianPruner", n_warmup_steps=3), {"_n_warmup_steps": 3, "_n_startup_trials": 5}),
        (pruner("PercentilePruner", percentile=40.0), {"_percentile": 40.0}),
        (pruner("ThresholdPruner", lower=0.5), {"_lower": 0.5}),
        (pruner("WilcoxonPruner", p_threshold=0.2), {"_p_threshold": 0.2}),
        # What the other takes too is its own default, unless the user says so, the same even.
        (pruner("HyperbandPruner", max_resource=9), {"_min_resource": 1, "_max_resource": 9}),
        (pruner("HyperbandPruner", min_resource=2), {"_min_resource": 2}),
        (pruner("SuccessiveHalvingPruner"), {"_min_resource": 2, "_reduction_factor": 3}),
        (pruner("SuccessiveHalvingPruner", reduction_factor=2), {"_min_resource": 2}),
        (pruner("PatientPruner", wrapped_pruner=None, patience=4), {"_patience": 4}),
    ],
    ids=str,
)
def test_a_pruner_named_by_its_target_has_its_own_settings(sweeper, settings, expected):
    built = build_pruner(sweeper(settings).pruner)
    assert type(built).__name__ == settings["pruner"]["_target_"].rpartition(".")[2]
    assert {name: getattr(built, name) for name in expected} == expected


def test_a_pruner_can_be_named_on_the_command_line(sweeper):
    named = "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner"
    assert build_pruner(sweeper({}, named, "+hydra.sweeper.pruner.upper=2").pruner)._upper == 2


def test_pruners_nest(sweeper):
    inner = {"_target_": "optuna.pruners.HyperbandPruner", "max_resource": "${epochs}"}
    middle = {"_target_": "optuna.pruners.PatientPruner", "patience": 2, "wrapped_pruner": inner}
    built = build_pruner(sweeper(pruner("PatientPruner", patience=3, wrapped_pruner=middle)).pruner)
    assert (built._patience, built._wrapped_pruner._patience) == (3, 2)
    assert built._wrapped_pruner._wrapped_pruner._max_resource == 7


def test_the_pruner_that_patience_wraps_may_be_another(sweeper):
    named = "hydra.sweeper.pruner.wrapped_pruner._target_=optuna.pruners.SuccessiveHalvingPruner"
    built = build_pruner(sweeper({}, "hydra/sweeper/pruner=patient", named).pruner)
    assert type(built._wrapped_pruner) is pruners.SuccessiveHalvingPruner


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (pruner("MedianPruner", patience=1), "patience"),
        (pruner("MedianPruner", min_resource=2), "min_resource"),
        (pruner("MedianPruner", reduction_factor=4), "reduction_factor"),
    ],
    ids=str,
)
def test_what_the_user_gives_a_pruner_that_does_not_take_it_is_refused(sweeper, settings, reason):
    with pytest.raises(SweepError, match=reason):
        build_pruner(sweeper(settings).pruner)


def sampler(config):
    return BudgetSweeper(sampler=own_settings(config.sampler, SAMPLER)).prepared.sampler


@pytest.mark.parametrize(
    "setting",
    [
        "group=true",
        "warn_independent_sampling=false",
        "consider_endpoints=true",
        "consider_prior=true",
        "consider_magic_clip=false",
        "prior_weight=2.0",
        "constraints_func=null",
        "constant_liar=false",
        "n_startup_trials=3",
        "seed=null",
    ],
)
@pytest.mark.parametrize("group", [[], ["hydra/sweeper/sampler=tpe"]], ids=["default", "tpe"])
def test_every_setting_of_tpe_can_be_given(sweeper, setting, group):
    given = ["hydra.sweeper.sampler.multivariate=true"] if setting == "group=true" else []
    config = sweeper({}, *group, *given, f"hydra.sweeper.sampler.{setting}")
    assert type(sampler(config)) is samplers.TPESampler


GROUPS = {
    "random": stock.RandomSamplerConfig,
    "tpe": stock.TPESamplerConfig,
    "cmaes": stock.CmaEsSamplerConfig,
    "nsgaii": stock.NSGAIISamplerConfig,
    "nsgaiii": stock.NSGAIIISamplerConfig,
    "gp": stock.GPSamplerConfig,
    "qmc": stock.QMCSamplerConfig,
    "grid": stock.GridSamplerConfig,
}


@pytest.mark.parametrize("name", GROUPS)
def test_every_stock_sampler_takes_every_stock_setting_written_out(sweeper, name):
    written = OmegaConf.to_container(OmegaConf.structured(GROUPS[name]))
    given = {key: value for key, value in written.items() if key != "_target_"}
    composed = sweeper({"sampler": given}, f"hydra/sweeper/sampler={name}")
    assert OmegaConf.to_container(composed.sampler) == written
    assert sampler(composed) is not None


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"_target_": "optuna.samplers.RandomSampler"}, samplers.RandomSampler),
        ({"_target_": "optuna.samplers.CmaEsSampler", "seed": 4}, samplers.CmaEsSampler),
        ({"_target_": "optuna.samplers.QMCSampler"}, samplers.QMCSampler),
    ],
)
def test_a_sampler_named_by_its_target_has_its_own_settings(sweeper, settings, kind):
    built = sampler(sweeper({"sampler": settings}))
    assert type(built) is kind
    if kind is samplers.CmaEsSampler:
        assert built._n_startup_trials == 1
        assert built._warn_independent_sampling is True


def test_the_defaults_are_what_they_say(sweeper):
    config = sweeper({})
    assert build_pruner(config.pruner)._min_resource == 2
    built = sampler(config)
    assert built._n_startup_trials == 10
    assert built._multivariate and built._constant_liar and not built._group  # noqa: PT018


@pytest.mark.parametrize("module", [optuna.pruners, optuna.samplers])
def test_a_target_of_elsewhere_is_not_even_imported(module, tmp_path, monkeypatch):
    Path("beside.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = OmegaConf.create({"_target_": "beside.Pruner", "min_resource": 2})
    assert own_settings(config, "pruner/successive_halving.yaml") == config
