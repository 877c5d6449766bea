"""The sweep itself: ask, gate, dispatch, tell, until the study has its trials."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf, open_dict
from optuna.trial import Trial

from mnist_sweep.errors import UserError
from mnist_sweep.sweep import outcome, results, sampling
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.settings import check_objective, check_study_name
from mnist_sweep.sweep.space import override_value, parse_space
from mnist_sweep.targets import locate
from mnist_sweep.text import one_line

# Proposals in a row, the first ones of a call, that are no valid run: a mistake, not bad luck.
MAX_REFUSALS = 5


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
        sampler_config: DictConfig | None,
        conditional: DictConfig | None,
        gate: str | None,
        max_rejections: int,
    ) -> None:
        super().__init__(*stock)
        self.sampler_config = sampler_config
        self.conditional = conditional
        self.gate = locate("hydra.sweeper.gate", gate) if gate else None
        self.max_rejections = max_rejections

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives; the launcher is made by the stock sweeper."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.context, self.composed = hydra_context, config
        self.summary = Path(self.sweep_dir) / "optimization_results.yaml"
        # Jobs of ours are told their study and trial; another task's config may know neither.
        self.names_trials = "study" in config and "trial" in config

    def sweep(self, arguments: list[str]) -> None:
        """Run the study to `n_trials` launched trials in all, and write its results.

        Raises SweepError when the study cannot be gone on with, when nothing passes the gate, or
        when too many trials fail. Exits with code 130 on Ctrl-C.
        """
        if OmegaConf.select(self.composed, "resume") is not None:
            raise SweepError("resume is for a single run: a sweep goes on by its own command")
        if self.names_trials:
            check_study_name(self.study_name)
        directions = self._get_directions()
        check_objective(self.composed, directions)
        self.space = parse_space(self.params, self.conditional, arguments)
        missing = self.space.without_missing(self._has)
        self.sampler, points = sampling.take_grid(self.sampler, self.space)
        self.n_trials = min(self.n_trials, points or self.n_trials)
        self.study = studies.open_study(self.study_name, self.storage, self.sampler, directions)
        self.definition = self._definition()
        studies.check_definition(self.study, self.definition)
        self.study.sampler = sampling.go_on(self.study, self.sampler_config)
        self.progress = Progress(self.study, self.storage, self.n_trials, self._objective_name())
        self.progress.not_searched(missing)
        self.first_number = len(self.study.get_trials(deepcopy=False))
        self.launched = False
        self.open: list[Trial] = []
        try:
            self._work()
        except KeyboardInterrupt:
            self._abandon("interrupted", requeue=True)
            print("interrupted: the same command goes on with the study", file=sys.stderr)
            sys.exit(130)
        except BaseException as error:
            self._abandon(f"the sweep ended: {one_line(error)}", requeue=False)
            raise
        finally:
            self._write_results()
            self.progress.conclude(self.summary)

    def _work(self) -> None:
        # The basic launcher runs a batch one by one: nothing is gained by waiting for its end.
        most = 1 if isinstance(self.launcher, BasicLauncher) else self.n_jobs
        while (left := self.n_trials - studies.finished(self.study)) > 0:
            proposals = self._propose(min(left, most))
            if not proposals:
                break
            self._run(proposals)
            self._write_results()
            self._check_failures()

    def _abandon(self, reason: str, requeue: bool) -> None:
        """Leave no trial running, which would repel the sampler for ever."""
        for trial in list(self.open):
            self._end(trial, studies.INTERRUPTED, reason)
            if requeue:
                studies.requeue(self.study, trial)

    def _has(self, name: str) -> bool:
        """Whether the composed config has a setting or a group of that name."""
        marker = object()
        known = name in self.composed.hydra.runtime.choices
        return known or OmegaConf.select(self.composed, name, default=marker) is not marker

    def _definition(self) -> dict[str, Any]:
        """What makes this study this study: the space with its fixed settings, and the budget."""
        chosen = {key: OmegaConf.select(self.composed, key) for key in ("budget", "objective")}
        plain = OmegaConf.to_container(OmegaConf.create(chosen), resolve=True)
        assert isinstance(plain, dict)
        return {"search": self.space.describe(), **{str(k): v for k, v in plain.items()}}

    def _objective_name(self) -> str:
        name = OmegaConf.select(self.composed, "objective") or "value"
        return name if isinstance(name, str) else ", ".join(name)

    def _propose(self, wanted: int) -> list[Proposal]:
        """Ask until `wanted` proposals have passed the gate; fewer when a grid is exhausted.

        Raises SweepError after `max_rejections` rejections in a row.
        """
        proposals: list[Proposal] = []
        rejected = refused = 0
        while len(proposals) < wanted and not sampling.grid_is_exhausted(self.study):
            trial = self.study.ask()
            self.open.append(trial)
            overrides = self._overrides(trial)
            try:
                verdict = self._judge(overrides)
            except UserError as error:
                self._end(trial, studies.REFUSED, str(error))
                self.progress.failed(trial.number, str(error))
                refused += 1
                self._check_refusals(refused, str(error))
                continue
            for name, value in verdict.constraints.items():
                trial.set_constraint(name, value)
            for name, value in verdict.attributes.items():
                trial.set_user_attr(name, value)
            if verdict.reason is None:
                proposals.append(Proposal(trial, overrides))
                rejected = 0
                continue
            self._end(trial, studies.REJECTED, verdict.reason)
            self.progress.rejected(trial.number, verdict.reason)
            rejected += 1
            if rejected >= self.max_rejections:
                raise SweepError(results.nothing_fits(self.study, rejected))
        return proposals

    def _overrides(self, trial: Trial) -> list[str]:
        overrides = self.space.suggest(trial, self.composed.hydra.runtime.choices)
        if self.custom_search_space_extender:
            before = set(trial.params)
            try:
                self.custom_search_space_extender(self.composed, trial)
            except Exception as error:
                raise SweepError(
                    f"hydra.sweeper.custom_search_space raised {type(error).__name__}: "
                    f"{one_line(error)}"
                ) from error
            added = set(trial.params) - before - set(self.space.settings)
            overrides += [f"{n}={override_value(v)}" for n, v in trial.params.items() if n in added]
        if self.names_trials:
            overrides += [
                f"study={_quoted(self.study.study_name)}",
                f"trial={trial.number}",
                # Fixed here, since a job's own choices could rename it.
                f"hydra.sweep.dir={_quoted(str(self.sweep_dir))}",
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
        try:
            verdict: Verdict = self.gate(config, hydra)
        except UserError:
            raise
        except Exception as error:
            raise SweepError(
                f"hydra.sweeper.gate raised {type(error).__name__}: {one_line(error)}"
            ) from error
        return verdict

    def _run(self, proposals: Sequence[Proposal]) -> None:
        """Launch a batch and tell the study what became of it."""
        assert self.launcher is not None
        if not self.launched:
            studies.record_definition(self.study, self.definition)
            self.launched = True
        returns = self.launcher.launch(
            [p.overrides for p in proposals], initial_job_idx=proposals[0].trial.number
        )
        for proposal, returned in zip(proposals, returns, strict=True):
            self._tell(proposal, returned)

    def _tell(self, proposal: Proposal, returned: JobReturn) -> None:
        trial = proposal.trial
        ours = ("study=", "trial=", "search=", "hydra.")
        theirs = [override for override in proposal.overrides if not override.startswith(ours)]
        trial.set_user_attr("overrides", theirs)
        figures = outcome.figures(returned)
        for name, value in figures.items():
            trial.set_user_attr(name, value)
        try:
            studies.check_data(self.study, figures)
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
        studies.end(self.study, trial, status, reason, values)
        self.open.remove(trial)

    def _check_refusals(self, in_a_row: int, reason: str) -> None:
        if in_a_row >= MAX_REFUSALS and not self.launched:
            raise SweepError(
                f"the first {in_a_row} proposals are no valid runs; the last: {reason}"
            )
        self._check_failures()

    def _check_failures(self) -> None:
        reasons = studies.failures(self.study, since=self.first_number)
        if len(reasons) > self.max_failure_rate * self.n_trials:
            raise SweepError(
                f"{len(reasons)} trials failed, more than hydra.sweeper.max_failure_rate="
                f"{self.max_failure_rate:g} of {self.n_trials} allows; the last one: {reasons[-1]}"
            )

    def _write_results(self) -> None:
        results.write_results(self.study, self.storage, self.summary)


def _quoted(text: str) -> str:
    """Return a text as a quoted string of Hydra's override grammar."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
