"""The plugin that Hydra loads at every start: settings only, so that it costs nothing to import."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BudgetSweeper(Sweeper):
    """Hydra's Optuna sweeper with a gate, pruning, asynchronous workers, and studies that resume.

    Takes every setting of the stock sweeper, with three differences: `n_trials` is the study's
    total of launched trials, not what one call adds; `max_failure_rate` is of that total; `n_jobs`
    is as many as there are cores, or GPUs, where it is None. Its own:

    pruner:
        Config of an optuna pruner, asked after each epoch that a job reports; None prunes nothing.
    conditional:
        {parameter: {value: {parameter: sweep}}}, searched only where the outer parameter has that
        value, be it chosen, fixed, or the composed config's own.
    zip:
        Settings with as many values each, [a, b], or several such lists, whose values go together:
        the first is searched, and the others follow it.
    gate:
        Dotted path of a function (composed config, its Hydra config) -> `gate.Verdict`, called
        before a proposal is launched; None launches every proposal.
    probe:
        Dotted path of a function (composed config, its Hydra config, seconds) -> `probe.RunCost`,
        asked in a dry run what a run costs, and timed where the seconds are not 0; None says
        nothing of time and disk.
    dry_run:
        Print what the sweep would do, and end without a change to anything: true for people, "json"
        as data.
    resamples:
        How often a proposal that the gate rejects is drawn again before it counts as rejected.
    max_rejections:
        Rejections in a row after which the sweep ends.
    enqueue:
        Configurations to try first: mappings from searched settings to values.
    preload:
        Modules that worker processes import at once, while the first proposals are judged.
    worker_memory:
        Memory that a worker process needs, in GB: where n_jobs is None and there is no GPU, as many
        are started as the machine's or the container's memory holds beside the sweep itself, one a
        core at most. None looks at the cores alone.
    default_first:
        Whether a new study's trial 0 is the composed config's own values.
    timeout:
        Seconds after which no trial is launched any more; running trials finish.
    plateau:
        Launched trials in a row without a better one after which no trial is launched any more.
    target:
        Value of the objective that is good enough: once a trial has it, no further one is launched.
    keep_weights:
        Of how many trials, the best, the weights are kept; None keeps all. With several objectives
        a front is kept whole. Checkpoints go when their trial is complete or pruned.
    trial_timeout:
        Seconds after which a trial's worker is killed and the trial fails.
    max_retries:
        How often in a row a trial is resumed after its process died, without an epoch more; counted
        over restarts of the sweep.
    grace_period:
        Seconds without a heartbeat after which another machine's trial counts as abandoned.
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
