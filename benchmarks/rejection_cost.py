"""What a rejected proposal costs, beyond what Optuna's own ask and tell cost on that storage.

    python -m benchmarks.rejection_cost [storage]

The space is that of `search=schedule` with widths that are all over budget. Two studies in one
storage are filled side by side, one proposal each in turn: by Optuna alone (ask, the same
suggestions, tell PRUNED), and by the sweeper (the same, with the candidate composed, counted on the
meta device, and recorded with its constraint, count and reason). The sweeper proposes as a
sweep does, but for resampling, which is off: each proposal is one rejection.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import optuna
import torch
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from optuna.trial import TrialState

from benchmarks.common import title
from mnist_sweep import train
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.gate import parameter_budget
from mnist_sweep.sweep.space.base_config import BaseConfig
from mnist_sweep.sweep.space.compose import Composer
from mnist_sweep.sweep.space.distributions import suggest
from mnist_sweep.sweep.space.parsing import parse_space
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.trials.proposals import GatedSpace, Proposer
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.status import TrialStatus

PROPOSALS = 200
WIDTHS = "model.width=interval(1.1, 1.6)"


def measure(address: str) -> dict[str, list[float]]:
    """Fill both studies in turn; return quartiles of the milliseconds that a proposal took.

    Of each, and of their difference, pair by pair.
    """
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    hydra = Hydra.create_main_hydra2("train", create_config_search_path(train.config_directory()))
    config = hydra.compose_config("config", ["search=schedule"], RunMode.MULTIRUN)
    sweeper = config.hydra.sweeper
    space = parse_space(sweeper.params, sweeper.conditional, [WIDTHS])
    storage = open_storage(address)

    def create(name: str) -> optuna.Study:
        sampler = optuna.samplers.TPESampler(seed=0, multivariate=True, constant_liar=True)
        return optuna.create_study(study_name=name, storage=storage.optuna, sampler=sampler)

    alone, swept = create("alone"), create("swept")
    loader = hydra.config_loader
    names = lambda number: ["study=benchmark", f"trial={number}"]  # noqa: E731
    compose = Composer(loader, config)
    current = BaseConfig(config, compose)
    gated_space = GatedSpace(space, current, compose, parameter_budget, None, names)
    proposer = Proposer(TrialRecords(swept, storage.optuna), gated_space, resamples=0)

    def by_optuna() -> None:
        trial = alone.ask()
        space.walk(lambda name, among: suggest(trial, name, among), current)
        alone.tell(trial, state=TrialState.PRUNED)

    def by_sweeper() -> None:
        proposal = proposer.propose(swept.ask())
        assert proposal.reason is not None
        study_store.tell_end(swept, proposal.trial, TrialStatus.REJECTED, None)

    times: dict[str, list[float]] = {"optuna alone": [], "sweeper": []}
    for number in range(PROPOSALS):
        contenders = [("optuna alone", by_optuna), ("sweeper", by_sweeper)]
        for name, contender in contenders if number % 2 else reversed(contenders):
            start = time.perf_counter()
            contender()
            times[name].append(1000 * (time.perf_counter() - start))
    warm = {name: taken[20:] for name, taken in times.items()}  # imports and the first compositions
    quartiles = {name: statistics.quantiles(taken, n=4) for name, taken in warm.items()}
    extra = [b - a for a, b in zip(warm["optuna alone"], warm["sweeper"], strict=True)]
    return quartiles | {"difference": statistics.quantiles(extra, n=4)}


def main(address: str) -> None:
    """Print the medians and quartiles."""
    quartiles = measure(address)
    title(f"{PROPOSALS} proposals each, the first 20 left out; milliseconds a proposal; {address}")
    for name, (low, median, high) in quartiles.items():
        print(f"  {name:<26} median {median:6.1f}   quartiles {low:6.1f} to {high:6.1f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'optuna.db'}")
