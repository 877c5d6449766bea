"""The sweeper's plugin, which Hydra loads at every start: cheap to import."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BudgetSweeper(Sweeper):
    """Hydra's Optuna sweeper with a gate, pruning, asynchronous workers, and studies that resume.

    conf/hydra/sweeper/mnist_sweep.yaml says what each setting does.
    """

    def __init__(self, **settings: Any) -> None:
        # These import optuna, which `--help` must not wait for.
        from mnist_sweep.sweep.hydra_adapter import prepare

        self.prepared = prepare(settings)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives."""
        from mnist_sweep.sweep.hydra_adapter import given

        self.given = given(self.prepared, hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the study; see `mnist_sweep.sweep.start.run_sweep`."""
        from mnist_sweep.sweep.start import run_sweep

        run_sweep(self.given, arguments)
