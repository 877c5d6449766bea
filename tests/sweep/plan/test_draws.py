import optuna
import pytest
from omegaconf import OmegaConf

from mnist_sweep.errors import UserError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.plan.draws import survey
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.trials.proposals import GatedSpace

CONFIG = OmegaConf.create({"width": 5, "hydra": {"runtime": {"choices": {}}}})


def compose(overrides):
    return OmegaConf.from_dotlist(list(overrides)), OmegaConf.create()


def space_with(gate, **params):
    current = BaseConfig(CONFIG)
    return GatedSpace(parse_space(params, {}, [], current), current, compose, gate, None)


def at_most(limit):
    def gate(config, hydra):
        reason = None if config.width <= limit else f"{config.width} is too wide"
        return Verdict({"width": config.width - limit}, {"width": config.width}, reason)

    return gate


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_the_share_that_passes_is_known_within_its_interval():
    found = survey(space_with(at_most(24), width="range(0,100)"), draws=200)
    assert found.share == pytest.approx(0.25, abs=0.08)
    low, high = found.interval
    assert low < 0.25 < high
    assert high - low < 0.14


def test_what_is_counted_is_what_the_gate_tells_of_every_run():
    found = survey(space_with(at_most(24), width="range(0,100)"))
    assert found.counted == ["width"]
    assert max(drawn.figures["width"] for drawn in found.passed) <= 24
    assert min(drawn.figures["width"] for drawn in found.rejected) >= 25
    assert found.rejected[0].reason.endswith("is too wide")


def test_the_first_that_passes_is_heard_of_once():
    heard = []
    found = survey(space_with(at_most(24), width="range(0,100)"), first_passed=heard.append)
    assert heard == [found.passed[0]]


def test_what_hardly_passes_is_looked_for_longer_as_a_sweep_would():
    heard = []
    found = survey(space_with(at_most(0), width="range(0,5000)"), 50, heard.append)
    assert found.passed == []
    assert [drawn.params for drawn in found.feasible] == [{"width": 0}]
    assert heard == found.feasible


def test_nothing_is_feasible_where_nothing_passes():
    found = survey(space_with(at_most(-1), width="range(0,100)"), draws=50)
    assert found.feasible == []
    assert found.share == 0


def test_a_configuration_that_is_no_run_is_rejected_with_its_error():
    def gate(config, hydra):
        raise UserError("no run")

    found = survey(space_with(gate, width="range(0,100)"), draws=5)
    assert {drawn.reason for drawn in found.rejected} == {"no run"}
    assert found.counted == []


def test_everything_passes_without_a_gate():
    found = survey(space_with(None, width="range(0,100)"), draws=20)
    assert (found.share, found.counted) == (1.0, [])
