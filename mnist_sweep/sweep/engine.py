"""The sweep itself: ask, gate, dispatch, tell, until the study has its trials."""

import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from hydra.utils import get_method, instantiate
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf, open_dict
from optuna.trial import Trial

from mnist_sweep.errors import UserError
from mnist_sweep.sweep import outcome
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.space import override_value, parse_space
from mnist_sweep.text import one_line

SAMPLER_TARGETS = ("hydra_plugins.hydra_optuna_sweeper.*", "optuna.samplers.*")


@dataclass
class Proposal:
    """A trial that passed the gate, and the overrides that make it a run."""

    trial: Trial
    overrides: list[str]


class InvalidProposal(UserError):
    """A proposal composes to no config."""


class SweepEngine(OptunaSweeperImpl):
    """See `mnist_sweep.sweep.sweeper.BudgetSweeper` for the settings."""

    def __init__(
        self,
        *stock: Any,
        sampler_config: DictConfig,
        conditional: DictConfig | None,
        gate: str | None,
        max_rejections: int,
    ) -> None:
        super().__init__(*stock)
        self.sampler_config = sampler_config
        self.conditional = conditional
        self.gate = get_method(gate) if gate else None
        self.max_rejections = max_rejections
        if self.n_trials < 1 or self.n_jobs < 1 or self.max_rejections < 1:
            raise SweepError(
                "n_trials, n_jobs and max_rejections must be at least 1, but got "
                f"{self.n_trials}, {self.n_jobs} and {self.max_rejections}"
            )

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives; the launcher is made by the stock sweeper."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.context, self.composed = hydra_context, config
        self.results = Path(self.sweep_dir) / "optimization_results.yaml"

    def sweep(self, arguments: list[str]) -> None:
        """Run the study to `n_trials` launched trials in all, and write its results.

        Raises SweepError when the study cannot be gone on with, when nothing passes the gate, or
        when too many trials fail. Exits with code 130 on Ctrl-C.
        """
        self.space = parse_space(self.params, self.conditional, arguments)
        self._take_grid()
        self.study = studies.open_study(
            self.study_name, self.storage, self.sampler, self._get_directions()
        )
        studies.check_definition(self.study, self._definition())
        self._move_seed()
        self.progress = Progress(self.study, self.storage, self.n_trials, self._objective_name())
        try:
            while (left := self.n_trials - studies.finished(self.study)) > 0:
                proposals = self._propose(min(left, self.n_jobs))
                if not proposals:
                    break
                self._run(proposals)
                self._write_results()
                self._check_failures()
        except KeyboardInterrupt:
            self._write_results()
            self.progress.conclude(self.results)
            print("interrupted: the same command goes on with the study", file=sys.stderr)
            sys.exit(130)
        finally:
            self._write_results()
        self.progress.conclude(self.results)

    def _take_grid(self) -> None:
        """Give a grid sampler its grid; it has no more trials than the grid has points."""
        is_partial = isinstance(self.sampler, functools.partial)
        if not is_partial or self.sampler.func is not optuna.samplers.GridSampler:
            return
        if self.space.conditional:
            raise SweepError("a grid cannot be conditional; use '~hydra.sweeper.conditional'")
        try:
            grid = {n: self._to_grid_sampler_choices(d) for n, d in self.space.searched().items()}
        except ValueError as error:
            raise SweepError(f"the search space is no grid: {error}") from error
        self.sampler = self.sampler(grid)
        self.n_trials = min(self.n_trials, math.prod(len(values) for values in grid.values()))

    def _definition(self) -> dict[str, Any]:
        """What makes this study this study: the space with its fixed settings, and the budget."""
        plain = OmegaConf.create(
            {key: OmegaConf.select(self.composed, key) for key in ("budget", "objective")}
        )
        budget = OmegaConf.to_container(plain, resolve=True)
        assert isinstance(budget, dict)
        return {"search": self.space.describe(), **{str(k): v for k, v in budget.items()}}

    def _move_seed(self) -> None:
        """Seed a study that goes on by its trials so far, or it would propose the same again."""
        seed, trials = self.sampler_config.get("seed"), len(self.study.get_trials(deepcopy=False))
        if seed is None or not trials or isinstance(self.sampler, optuna.samplers.GridSampler):
            return
        self.study.sampler = instantiate(
            self.sampler_config, seed=seed + trials, _execution_whitelist_=SAMPLER_TARGETS
        )

    def _objective_name(self) -> str:
        name = OmegaConf.select(self.composed, "objective") or "value"
        return name if isinstance(name, str) else ", ".join(name)

    def _propose(self, wanted: int) -> list[Proposal]:
        """Ask until `wanted` proposals have passed the gate; fewer when a grid is exhausted.

        Raises SweepError after `max_rejections` rejections in a row.
        """
        proposals: list[Proposal] = []
        in_a_row = 0
        while len(proposals) < wanted and not self._grid_is_exhausted():
            trial = self.study.ask()
            overrides = self._overrides(trial)
            try:
                verdict = self._judge(overrides)
            except UserError as error:
                self._end(trial, studies.REFUSED, str(error))
                self.progress.failed(trial.number, str(error))
                self._check_failures()
                continue
            for name, value in verdict.constraints.items():
                trial.set_constraint(name, value)
            for name, value in verdict.attributes.items():
                trial.set_user_attr(name, value)
            if verdict.reason is None:
                proposals.append(Proposal(trial, overrides))
                in_a_row = 0
                continue
            self._end(trial, studies.REJECTED, verdict.reason)
            self.progress.rejected(trial.number, verdict.reason)
            in_a_row += 1
            if in_a_row >= self.max_rejections:
                raise SweepError(studies.nothing_fits(self.study, in_a_row))
        return proposals

    def _overrides(self, trial: Trial) -> list[str]:
        overrides = self.space.suggest(trial, self.composed.hydra.runtime.choices)
        if self.custom_search_space_extender:
            before = set(trial.params)
            self.custom_search_space_extender(self.composed, trial)
            added = {name: value for name, value in trial.params.items() if name not in before}
            overrides += [f"{name}={override_value(value)}" for name, value in added.items()]
        if "trial" in self.composed and "study" in self.composed:
            # The directory is fixed here, since a job's own choices could rename it.
            directory = str(self.sweep_dir).replace("'", "\\'")
            overrides += [
                f"study={self.study.study_name}",
                f"trial={trial.number}",
                f"hydra.sweep.dir='{directory}'",
            ]
        return overrides

    def _judge(self, overrides: list[str]) -> Verdict:
        """Ask the gate. Raises UserError for a proposal that can be no run at all."""
        if self.gate is None:
            return Verdict()
        try:
            config = self.context.config_loader.load_sweep_config(self.composed, overrides)
        except Exception as error:  # composing raises many kinds
            raise InvalidProposal(one_line(error)) from error
        hydra = config.hydra
        with open_dict(config):
            del config["hydra"]
        verdict: Verdict = self.gate(config, hydra)
        return verdict

    def _grid_is_exhausted(self) -> bool:
        sampler = self.study.sampler
        return isinstance(sampler, optuna.samplers.GridSampler) and sampler.is_exhausted(self.study)

    def _run(self, proposals: Sequence[Proposal]) -> None:
        """Launch a batch and tell the study what became of it."""
        assert self.launcher is not None
        try:
            returns = self.launcher.launch(
                [p.overrides for p in proposals], initial_job_idx=proposals[0].trial.number
            )
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            status = studies.INTERRUPTED if interrupted else studies.FAILED
            for proposal in proposals:
                self._end(proposal.trial, status, repr(error))
            raise
        for proposal, returned in zip(proposals, returns, strict=True):
            self._tell(proposal, returned)

    def _tell(self, proposal: Proposal, returned: JobReturn) -> None:
        trial = proposal.trial
        ours = ("study=", "trial=", "hydra.")
        theirs = [override for override in proposal.overrides if not override.startswith(ours)]
        trial.set_user_attr("overrides", theirs)
        for name, value in outcome.figures(returned).items():
            trial.set_user_attr(name, value)
        try:
            values = outcome.objectives(returned, len(self.study.directions))
        except outcome.JobFailed as error:
            self._end(trial, studies.FAILED, str(error))
            self.progress.failed(trial.number, str(error))
            return
        self._end(trial, studies.COMPLETE, None, values)
        self.progress.complete(trial.number, values)

    def _end(
        self, trial: Trial, status: str, reason: str | None, values: list[float] | None = None
    ) -> None:
        trial.set_user_attr("status", status)
        if reason is not None:
            trial.set_user_attr("reason", reason)
        try:
            self.study.tell(trial, values, studies.STATES[status])
        except RuntimeError as error:
            # A grid sampler stops the study at its last point, which Optuna allows in optimize()
            # only; the trial's state is set by then.
            if "Study.stop" not in str(error):
                raise

    def _check_failures(self) -> None:
        reasons = studies.failures(self.study)
        if len(reasons) > self.max_failure_rate * self.n_trials:
            raise SweepError(
                f"{len(reasons)} trials failed, more than hydra.sweeper.max_failure_rate="
                f"{self.max_failure_rate:g} of {self.n_trials} allows; the last one: {reasons[-1]}"
            )

    def _write_results(self) -> None:
        studies.write_results(self.study, self.storage, self.results)
