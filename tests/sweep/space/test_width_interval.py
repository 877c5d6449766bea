"""The widths that the shipped searches take from the budget."""

import re

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from mnist_sweep import train
from mnist_sweep.run.build import count_model


def widths(*overrides, search="schedule"):
    """The ends of the widths that a search asks for, and the model that it is composed with."""
    with initialize_config_dir(train.config_directory()):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration(
            "config", [f"search={search}", *overrides], RunMode.MULTIRUN
        )
        text = config.hydra.sweeper.params["model.width"]
    low, high = map(float, re.fullmatch(r"interval\((.+), (.+)\)", text).groups())
    return low, high, config.model


def parameters(model, width):
    return count_model(OmegaConf.merge(model, {"width": width}), "model")[1]


@pytest.mark.parametrize("model", ["enhanced", "baseline", "residual", "wide", "resnet"])
@pytest.mark.parametrize("budget", [2_000, 7_999, 19_999, 1_000_000])
def test_half_of_the_widths_and_more_meet_any_budget_and_the_widest_do_not(model, budget):
    low, high, node = widths(f"model={model}", f"budget.max_parameters={budget}")
    assert high / low == pytest.approx(2, rel=0.1)
    assert parameters(node, (low + high) / 2) <= budget < parameters(node, high)


@pytest.mark.parametrize(
    ("overrides", "ends"),
    [
        (["budget.max_parameters=null"], (0.6, 1.2)),
        (["budget.max_parameters=null", "model.width=2.0"], (1.2, 2.4)),
        (["model=mlp"], (0.6, 1.2)),  # has no width, so that it is left out
        (["model=simple", "budget.max_parameters=2000"], (0.006, 0.012)),  # none is small enough
        (["budget.max_parameters=19999"], (0.61, 1.2)),
        (["model.width=narrow"], (0.6, 1.2)),  # the gate says what is wrong with it
        (["model.stages=[]"], (0.6, 1.2)),
    ],
)
def test_widths_without_a_budget_are_around_the_models_own(overrides, ends):
    assert widths(*overrides)[:2] == ends


def test_models_that_are_searched_by_a_pattern_are_those_of_a_list():
    fewest = "budget.max_parameters=2000"
    listed = widths("model=choice(baseline,wide)", fewest)[:2]
    assert widths("model=glob([base*,wi*])", fewest)[:2] == listed
    assert widths("model=baseline", fewest)[:2] != listed


def test_the_front_reaches_down_to_small_networks():
    assert widths(search="pareto")[:2] == (0.2, 1.2)
