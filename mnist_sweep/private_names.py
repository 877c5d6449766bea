"""The names of Optuna, Hydra and torch that are used here and are not public, each with its reason.

Nothing else in the package uses a private name of theirs. `tests/test_private_names.py` checks
that, and that each name is what is expected of it: it fails with a message on the day one changes.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hydra._internal import utils
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution

__all__ = [
    "FIXED_PARAMS",
    "GRID_ID",
    "STOCK_SAMPLERS",
    "BasicSweeper",
    "options_parser",
    "reporting_through",
    "stock_distribution",
    "with_value",
]

# optuna: the key of a trial's system attributes that has what `Study.enqueue_trial` was given.
# A sampler is not told what was enqueued. Tried: `FrozenTrial.params` of a waiting trial, which is
# empty.
FIXED_PARAMS = "fixed_params"

# optuna: the key of a trial's system attributes that says which point of its grid it is.
# `GridSampler.is_exhausted` is public, and counts a point that is being run as left. Tried: the
# trials' parameters, which are the same for points that a grid has twice.
GRID_ID = "grid_id"

# hydra-optuna-sweeper: what its configs of two samplers name as `_target_`, so that users' configs
# do; and the module that holds them.
STOCK_SAMPLERS = "hydra_plugins.hydra_optuna_sweeper._impl"

# hydra: `BasicSweeper`, of which ours is a subclass, so that plain multirun parses, multiplies and
# batches as Hydra does. Tried: `hydra.plugins.sweeper.Sweeper`, with all of that written again.


def stock_distribution(override: "Override", sweep: Any) -> "BaseDistribution":
    """Return the distribution that the stock sweeper makes of a range. Raises ValueError.

    hydra-optuna-sweeper: its `create_optuna_distribution_from_override`, so that a range means what
    it means there. The package has no public module.
    """
    from hydra_plugins.hydra_optuna_sweeper._impl import create_optuna_distribution_from_override

    found: BaseDistribution = create_optuna_distribution_from_override(
        with_value(override, sweep, override.input_line)
    )
    return found


def with_value(override: "Override", value: Any, line: str | None) -> "Override":
    """Return an override of the same key with another value, `line` being what it is written as.

    hydra: `Override._value`, which `Override.value()` reads and nothing public sets. Tried: parsing
    the line, which takes 0.2 ms, for each number of each candidate.
    """
    return replace(override, _value=value, input_line=line)


def options_parser() -> argparse.ArgumentParser:
    """Return the parser of Hydra's own options.

    hydra: `get_args_parser`; which words of a command line are Hydra's is said nowhere else.
    """
    parser: argparse.ArgumentParser = utils.get_args_parser()
    return parser


@contextmanager
def reporting_through(wrap: Callable[[Callable[[], Any]], Any]) -> Iterator[None]:
    """Have all of Hydra's commands run through a function, which is given the call to make.

    hydra: `run_and_report`, which prints a traceback for what is no error of Hydra's own, and for
    which there is no public hook: callbacks are not told of errors in a plugin's constructor.
    """
    report = utils.run_and_report
    utils.run_and_report = lambda func: report(lambda: wrap(func))
    try:
        yield
    finally:
        utils.run_and_report = report
