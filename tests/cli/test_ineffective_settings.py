"""Settings that would have no effect are refused, and a command line that shows a config is not."""

import pytest
from omegaconf import OmegaConf

from mnist_sweep.cli.ineffective_settings import check_effects
from mnist_sweep.config import ConfigError


def given(*overrides):
    hydras = [o for o in overrides if o.lstrip("+~").startswith("hydra")]
    task = [o for o in overrides if o not in hydras]
    return OmegaConf.create({"overrides": {"hydra": hydras, "task": task}})


@pytest.mark.parametrize(
    "override",
    [
        "search=pareto",
        "search=none",
        "hydra.sweeper.n_trials=5",
        "+hydra.sweeper.n_trials=5",
        "++hydra.sweeper.n_trials=5",
        "~hydra.sweeper.gate",
        "hydra/sweeper=basic",
        "hydra/sweeper/pruner=none",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "hydra.sweep.dir=x",
    ],
)
def test_what_a_sweep_uses_is_refused_without_one(override):
    message = f"{override} has an effect only with -m: add -m, or leave it out"
    with pytest.raises(ConfigError) as error:
        check_effects(given("model=mlp", override), sweeps=False)
    assert str(error.value) == message
    check_effects(given("model=mlp", override), sweeps=True)
    check_effects(given(override, "hydra.mode=RUN"), sweeps=False)


def test_what_a_single_run_uses_is_refused_in_a_sweep():
    with pytest.raises(ConfigError, match=r"hydra.run.dir=x has an effect only without -m"):
        check_effects(given("hydra.run.dir=x"), sweeps=True)
    check_effects(given("hydra.run.dir=x", "research=3"), sweeps=False)


def test_several_are_named_together():
    with pytest.raises(ConfigError, match=r"hydra/launcher=joblib, search=none have an effect"):
        check_effects(given("search=none", "hydra/launcher=joblib"), sweeps=False)
