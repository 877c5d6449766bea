"""The networks that the project's results are of, as experiments."""

import pytest

from mnist_sweep.config_checks import check
from mnist_sweep.results.provenance import settings_of
from mnist_sweep.run.build import check_budget
from tools.results.figures import BUDGETS, network, read


@pytest.mark.parametrize("name", BUDGETS)
def test_the_best_network_of_a_budget_fits_it_and_is_the_one_in_the_results(composed, name):
    config = composed(f"experiment={name}")
    run = check(config)
    assert run.budget.max_parameters == BUDGETS[name].limit
    parameters = check_budget(run, "compact").parameters
    assert parameters <= BUDGETS[name].limit
    found = network(name, read())
    if found is not None:
        assert found.parameters == parameters
        assert settings_of(config) == found.settings
