import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from mnist_sweep.sweep.space.distributions import contains, only_value, suggest

WIDTH = IntDistribution(8, 64)
EVEN = IntDistribution(2, 10, step=2)
RATE = FloatDistribution(0.001, 0.1, log=True)
TENTHS = FloatDistribution(0.0, 1.0, step=0.1)
KIND = CategoricalDistribution(("a", 2, None, False))
DISTRIBUTIONS = [WIDTH, EVEN, IntDistribution(1, 64, log=True), RATE, TENTHS, KIND]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
def test_a_trial_suggests_from_the_very_distribution(distribution):
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    for _ in range(5):
        trial = study.ask()
        value = suggest(trial, "x", distribution)
        assert trial.distributions == {"x": distribution}
        assert trial.params == {"x": value}
        assert contains(distribution, value)
        assert suggest(trial, "x", distribution) == value


@pytest.mark.parametrize(
    ("distribution", "value", "inside"),
    [
        (WIDTH, 8, True),
        (WIDTH, 64, True),
        (WIDTH, 65, False),
        (WIDTH, 7, False),
        (WIDTH, 20.0, True),
        (WIDTH, 20.5, False),
        (WIDTH, "wide", False),
        (EVEN, 4, True),
        (EVEN, 5, False),
        (RATE, 0.05, True),
        (RATE, 0.2, False),
        (RATE, float("nan"), False),
        (RATE, None, False),
        (RATE, [0.05], False),
        (TENTHS, 0.1 + 0.2, True),
        (TENTHS, 0.25, False),
        (KIND, None, True),
        (KIND, 2, True),
        (KIND, "2", False),
        (KIND, "b", False),
    ],
)
def test_a_distribution_contains_what_can_be_drawn_from_it(distribution, value, inside):
    assert contains(distribution, value) is inside


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        (IntDistribution(5, 5), 5),
        (FloatDistribution(0.5, 0.5), 0.5),
        (FloatDistribution(0.5, 0.5, step=0.2), 0.5),
        (CategoricalDistribution(("a",)), "a"),
        (CategoricalDistribution((None,)), None),
    ],
)
def test_the_only_value_is_what_optuna_takes(distribution, value):
    assert distribution.single()
    assert only_value(distribution) == value
    assert suggest(optuna.create_study().ask(), "x", distribution) == value
