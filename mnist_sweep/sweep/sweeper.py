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
        sampler: Any = None,
        direction: Any = "minimize",
        storage: Any | None = None,
        study_name: str | None = None,
        n_trials: int = 20,
        n_jobs: int = 1,
        max_failure_rate: float = 0.0,
        custom_search_space: str | None = None,
        params: DictConfig | None = None,
        conditional: DictConfig | None = None,
        gate: str | None = None,
        max_rejections: int = 500,
    ) -> None:
        # These import optuna, which `--help` must not wait for.
        from mnist_sweep.sweep.engine import SweepEngine
        from mnist_sweep.sweep.errors import SweepError
        from mnist_sweep.sweep.settings import check_settings
        from mnist_sweep.text import one_line

        check_settings(
            n_trials=n_trials,
            n_jobs=n_jobs,
            max_failure_rate=max_failure_rate,
            max_rejections=max_rejections,
            study_name=study_name,
            storage=storage,
            custom_search_space=custom_search_space,
            gate=gate,
        )
        stock = (
            direction,
            storage,
            study_name,
            n_trials,
            n_jobs,
            max_failure_rate,
            custom_search_space,
            params,
        )
        try:
            super().__init__(sampler, *stock)
            self.sweeper = SweepEngine(
                self.sweeper.sampler,
                *stock,
                sampler_config=sampler,
                conditional=conditional,
                gate=gate,
                max_rejections=max_rejections,
            )
        except Exception as error:  # what the named sampler, gate or space raises
            raise SweepError(f"hydra.sweeper cannot be set up: {one_line(error)}") from error
