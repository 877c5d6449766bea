"""Against the replays of real learning curves in docs/pruning.md."""

from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.pruners import NopPruner, ThresholdPruner

from mnist_sweep.sweep import search_path
from mnist_sweep.sweep.plan.pruned import is_predictable, mean_share, shares
from mnist_sweep.sweep.pruning import build_pruner

PRUNERS = Path(search_path.__file__).parent / "conf" / "hydra" / "sweeper" / "pruner"


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def named(name, epochs):
    config = OmegaConf.create(
        {"epochs": epochs, "pruner": OmegaConf.load(PRUNERS / f"{name}.yaml")}
    )
    return build_pruner(config.pruner)


@pytest.mark.parametrize(
    ("name", "epochs", "saved"),
    [
        ("hyperband", 8, 53),
        ("hyperband", 20, 58),
        ("median", 8, 47),
        ("median", 20, 52),
        ("percentile", 8, 56),
        ("percentile", 20, 70),
        ("successive_halving", 5, 39),
        ("successive_halving", 8, 53),
        ("successive_halving", 20, 64),
    ],
)
def test_the_epochs_saved_are_those_of_the_replays(name, epochs, saved):
    found = shares(named(name, epochs), epochs, 20, 2)
    assert 100 * (1 - mean_share(found)) == pytest.approx(saved, abs=6)


def test_a_long_study_has_a_share_for_each_of_its_trials():
    found = shares(named("successive_halving", 8), 8, 300, 4)
    assert {len(study) for study in found} == {300}
    assert all(0 < share <= 1 for study in found for share in study)


def test_nothing_is_saved_without_a_pruner():
    assert shares(NopPruner(), 8, 3, 2) == [[1.0, 1.0, 1.0]]


def test_what_depends_on_the_curves_is_not_predicted():
    assert not is_predictable(ThresholdPruner(lower=0.5))
    assert is_predictable(named("median", 8))
