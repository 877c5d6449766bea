"""The plugin that Hydra loads at every start: settings only, so that it costs nothing to import."""

from typing import Any

from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper
from omegaconf import DictConfig


class BudgetSweeper(OptunaSweeper):
    """Hydra's Optuna sweeper with a gate, pruning, free workers, and studies that go on.

    Takes every setting of the stock sweeper, with three differences: `n_trials` is the study's
    total of launched trials, not what one call adds; `max_failure_rate` is of that total; `n_jobs`
    is as many as there are cores, or GPUs, where it is None. Its own:

    pruner:
        Config of an optuna pruner, asked after each epoch that a job reports; None prunes nothing.
    conditional:
        {parameter: {value: {parameter: sweep}}}, searched only where the outer parameter has that
        value, be it chosen, fixed, or the composed config's own.
    gate:
        Dotted path of a function (composed config, its Hydra config) -> `gate.Verdict`, called
        before a proposal is launched; None launches every proposal.
    resamples:
        How often a proposal that the gate rejects is drawn again before it counts as rejected.
    max_rejections:
        Rejections in a row after which the sweep ends.
    enqueue:
        Configurations to try first: mappings from searched settings to values.
    preload:
        Modules that worker processes import at once, while the first proposals are judged.
    default_first:
        Whether a new study's trial 0 is the composed config's own values.
    timeout:
        Seconds after which no trial is launched any more; those that run come to their ends.
    plateau:
        Launched trials in a row without a better one after which no trial is launched any more.
    trial_timeout:
        Seconds after which a trial's worker is killed and the trial fails.
    max_retries:
        How often a trial goes on in a new process after its own has died.
    grace_period:
        Seconds without a sign of life after which another machine's trial counts as abandoned.
    """

    def __init__(
        self,
        sampler: Any = None,
        direction: Any = "minimize",
        storage: Any | None = None,
        study_name: str | None = None,
        n_trials: int = 20,
        n_jobs: int | None = None,
        max_failure_rate: float = 0.0,
        custom_search_space: str | None = None,
        params: DictConfig | None = None,
        pruner: DictConfig | None = None,
        conditional: DictConfig | None = None,
        gate: str | None = None,
        resamples: int = 10,
        max_rejections: int = 100,
        enqueue: Any = None,
        default_first: bool = True,
        timeout: float | None = None,
        plateau: int | None = None,
        trial_timeout: float | None = None,
        max_retries: int = 2,
        grace_period: float = 120.0,
        preload: Any = None,
    ) -> None:
        # These import optuna, which `--help` must not wait for.
        from mnist_sweep.allowed import KINDS, check_tree
        from mnist_sweep.errors import UserError
        from mnist_sweep.sweep.address import address_of
        from mnist_sweep.sweep.engine import SweepEngine
        from mnist_sweep.sweep.errors import SweepError
        from mnist_sweep.sweep.left_over import SAMPLER, own_settings
        from mnist_sweep.sweep.settings import check_settings, check_shapes
        from mnist_sweep.text import one_line

        check_shapes(direction, params, conditional)
        sampler = own_settings(sampler, SAMPLER)
        settings = check_settings(
            n_trials=n_trials,
            n_jobs=n_jobs,
            max_failure_rate=max_failure_rate,
            max_rejections=max_rejections,
            resamples=resamples,
            max_retries=max_retries,
            trial_timeout=trial_timeout,
            timeout=timeout,
            plateau=plateau,
            grace_period=grace_period,
            default_first=default_first,
            study_name=study_name,
            storage=address_of(storage),
            custom_search_space=custom_search_space,
            gate=gate,
            preload=[] if preload is None else preload,
        )
        stock: tuple[Any, ...] = (
            direction,
            settings.storage,
            settings.study_name,
            settings.n_trials,
            settings.n_jobs,
            settings.max_failure_rate,
            None,  # custom_search_space, whose refusal there helps nobody: the engine's own
            params,
        )
        try:
            check_tree("hydra.sweeper.sampler", sampler, KINDS["hydra.sweeper.sampler"])
            super().__init__(sampler, *stock)
            self.sweeper = SweepEngine(
                self.sweeper.sampler,
                *stock,
                settings=settings,
                sampler_config=sampler,
                pruner_config=pruner,
                conditional=conditional,
                enqueued=enqueue,
            )
        except SweepError:
            raise
        except UserError as error:  # what may not be named
            raise SweepError(str(error)) from error
        except Exception as error:  # what the named sampler, gate or space raises
            raise SweepError(f"hydra.sweeper cannot be set up: {one_line(error)}") from error
