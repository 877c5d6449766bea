"""What conf/search/ searches, as the sweeper reads it."""

import math
import random
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, IntDistribution

from mnist_sweep import train
from mnist_sweep.run.build import count_model
from mnist_sweep.sweep.gate import parameter_budget
from mnist_sweep.sweep.sampling import SAMPLER_TARGETS, take_grid
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.conditions import check_conditions
from mnist_sweep.sweep.space.following import follow
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.space.searchable import check_space
from mnist_sweep.sweep.space.values import written
from mnist_sweep.sweep.zipped import groups_of
from tools.results import figures

FOLDER = Path(train.config_directory()) / "search/ablation"
PUBLISHED = sorted((figures.FOLDER / "search").glob("*.yaml"))
ABLATIONS = sorted(file.stem for file in FOLDER.glob("*.yaml") if file.stem != "base")


class Search:
    """A search as a command line starts it."""

    def __init__(self, *words):
        self.config = compose("config", overrides=list(words), return_hydra_config=True)
        self.compose = Composer(GlobalHydra.instance().config_loader(), self.config)
        self.current = BaseConfig(self.config, self.compose)
        sweeper = self.config.hydra.sweeper
        self.space = parse_space(sweeper.params, sweeper.conditional, words, self.current)

    def drawn(self, number, seed=0):
        """So many random proposals, as overrides."""
        generator = random.Random(seed)

        def choose(name, distribution):
            if isinstance(distribution, CategoricalDistribution):
                return generator.choice(distribution.choices)
            if isinstance(distribution, IntDistribution):
                return generator.randint(distribution.low, distribution.high)
            ends = distribution.low, distribution.high
            if distribution.log:
                return math.exp(generator.uniform(*map(math.log, ends)))
            return generator.uniform(*ends)

        for _ in range(number):
            yield self.space.walk(choose, self.current)


@pytest.fixture
def search():
    with initialize_config_dir(train.config_directory()):
        yield Search


def architecture(search, budget, *words):
    return search("search=architecture", f"budget.max_parameters={budget}", *words)


@pytest.fixture(scope="module")
def within_8000():
    """A search of architectures, composed once for all tests, which leave it as it is."""
    with initialize_config_dir(train.config_directory()):
        return architecture(Search, 8_000)


@pytest.mark.parametrize("budget", [20_000, 8_000, 2_000, 1_000])
def test_most_proposals_of_an_architecture_meet_any_budget(search, budget):
    found = architecture(search, budget)
    configs = [found.compose(lines)[0] for lines in found.drawn(12)]
    counts = [count_model(config.model, "compact")[1] for config in configs]
    assert sum(count <= budget for count in counts) > 6


def test_the_gate_takes_proposals_of_an_architecture(within_8000):
    for lines in within_8000.drawn(4):
        verdict = parameter_budget(*within_8000.compose(lines))
        assert verdict.reason is None
        assert 0 < verdict.attributes["parameters"] <= 8_000


def test_all_that_an_architecture_search_asks_for_can_occur(within_8000):
    check_space(within_8000.space, within_8000.current)
    assert check_conditions(within_8000.space, within_8000.current) == []


def test_a_networks_settings_are_searched_only_where_it_has_them(within_8000):
    for lines in within_8000.drawn(30):
        chosen = dict(line.split("=", 1) for line in lines)
        stages = int(chosen["model.stages"])
        for stage in (3, 4):
            assert (f"model.depth{stage}" in chosen) == (stage <= stages)
        for stage in (1, 2):
            assert (f"model.entry{stage}" in chosen) == (chosen[f"model.depth{stage}"] != "1")


def test_a_proposal_is_the_same_network_without_the_search(search, within_8000):
    """A printed command has all that the search chose, and no search."""
    for lines in within_8000.drawn(2):
        alone = [line for line in lines if not line.startswith("search=")]
        job, _ = within_8000.compose(lines)
        single = compose("config", overrides=alone)
        assert single.model == job.model
        assert single.optimizer == job.optimizer
        assert single.data == job.data
        assert (single.scheduler, single.batch_size) == (job.scheduler, job.batch_size)


def test_every_axis_can_be_fixed_on_the_command_line(within_8000):
    sweeper, words = within_8000.config.hydra.sweeper, ["search=architecture"]
    names = {name for name, _ in within_8000.space.distributions()}
    assert {"model.kernel", "model.entry4", "data.augmentation.shift", "optimizer.lr"} < names
    for name in names:
        value = written(OmegaConf.select(within_8000.config, name))
        fixed = [*words, f"{name}={value}"]
        space = parse_space(sweeper.params, sweeper.conditional, fixed, within_8000.current)
        assert {other for other, _ in space.distributions()} == names - {name}


def test_another_budget_is_another_study(search):
    for budget in (8_000, 2_000):
        HydraConfig.instance().set_config(architecture(search, budget, "data=mnist_5k").config)
        name = HydraConfig.get().sweeper.study_name
        assert name == f"architecture-{budget}-mnist_5k"


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_a_grid_of_each_arm_with_each_of_five_seeds_without_pruning(search, name):
    found = search(f"search=ablation/{name}")
    sweeper, chosen = found.config.hydra.sweeper, found.config.hydra.runtime.choices
    axes = {axis: len(among.choices) for axis, among in found.space.distributions()}
    assert axes.pop("seed") == 5
    zipped = set(sweeper.zip or ())
    assert set(axes) == zipped or len(axes) == 1  # what is zipped is one axis
    arms = set(axes.values())
    assert arms == {4}
    assert sweeper.n_trials == 5 * 4
    assert chosen["hydra/sweeper/pruner"] == "none"
    assert chosen["data"] == "mnist"  # never a subset
    assert not sweeper.default_first
    assert found.config.epochs == 20
    follow(found.space, groups_of(sweeper.zip))
    sampler = instantiate(sweeper.sampler, _execution_whitelist_=SAMPLER_TARGETS)
    assert take_grid(sampler, found.space)[1] == 5 * 4


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.stem)
def test_a_search_that_the_results_are_of_can_be_made_again(search, file):
    found = search(f"hydra.searchpath=[file://{file.parents[1]}]", f"search={file.stem}")
    check_space(found.space, found.current)
    sweeper = found.config.hydra.sweeper
    assert sweeper.n_trials > len(sweeper.enqueue)
    for given in sweeper.enqueue:
        lines = [f"{name}={written(value)}" for name, value in given.items()]
        config, _ = found.compose([f"search={file.stem}", *lines])
        assert count_model(config.model, "compact")[1] <= found.config.budget.max_parameters
