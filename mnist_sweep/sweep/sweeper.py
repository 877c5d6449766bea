"""The plugin that Hydra loads at every start: settings only, so that it costs nothing to import."""

from typing import Any

from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper
from omegaconf import DictConfig


class BudgetSweeper(OptunaSweeper):
    """Hydra's Optuna sweeper with a gate, conditional settings, and studies that go on.

    Takes every setting of the stock sweeper, with two differences: `n_trials` is the study's total
    of launched trials, not what one call adds, and `max_failure_rate` is of that total. Its own:

    conditional:
        {parameter: {value: {parameter: sweep}}}, searched only where the outer parameter has that
        value.
    gate:
        Dotted path of a function (composed config, its Hydra config) -> `gate.Verdict`, called
        before a proposal is launched; None launches every proposal.
    max_rejections:
        Rejections in a row after which the search space is given up as holding nothing that fits.
    """

    def __init__(
        self,
        sampler: Any,
        direction: Any,
        storage: Any | None,
        study_name: str | None,
        n_trials: int,
        n_jobs: int,
        max_failure_rate: float,
        custom_search_space: str | None,
        params: DictConfig | None,
        conditional: DictConfig | None = None,
        gate: str | None = None,
        max_rejections: int = 500,
    ) -> None:
        super().__init__(
            sampler,
            direction,
            storage,
            study_name,
            n_trials,
            n_jobs,
            max_failure_rate,
            custom_search_space,
            params,
        )
        from mnist_sweep.sweep.engine import SweepEngine  # imports optuna

        self.sweeper = SweepEngine(
            self.sweeper.sampler,
            direction,
            storage,
            study_name,
            n_trials,
            n_jobs,
            max_failure_rate,
            custom_search_space,
            params,
            sampler_config=sampler,
            conditional=conditional,
            gate=gate,
            max_rejections=max_rejections,
        )
