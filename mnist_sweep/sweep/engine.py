"""The sweep itself: propose, dispatch, tell, until the study has its trials."""

import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.allowed import KINDS, locate
from mnist_sweep.cli.no_effect import check_effects
from mnist_sweep.cli.printed import this_program
from mnist_sweep.errors import explain
from mnist_sweep.passwords import said_of
from mnist_sweep.sweep import results, sampling
from mnist_sweep.sweep import study as studies
from mnist_sweep.sweep.application import Application
from mnist_sweep.sweep.compose import Composer
from mnist_sweep.sweep.conditions import check_conditions, check_searches
from mnist_sweep.sweep.current import Current
from mnist_sweep.sweep.dispatch import Batches, Deaths, Dispatcher, Finished, Job
from mnist_sweep.sweep.enqueue import enqueue
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.launcher import PATIENCE, WorkersLauncher
from mnist_sweep.sweep.parsing import parse_space
from mnist_sweep.sweep.points import Points
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.proposals import Proposal, Proposer
from mnist_sweep.sweep.pruning import build_pruner, why_off
from mnist_sweep.sweep.searchable import check_name, check_space
from mnist_sweep.sweep.settings import (
    Settings,
    check_objective,
    check_study_name,
    take_study_name,
)
from mnist_sweep.sweep.space import SearchSpace
from mnist_sweep.sweep.storage import OUTAGE, open_storage
from mnist_sweep.sweep.supply import Supply
from mnist_sweep.sweep.teller import Teller
from mnist_sweep.text import one_line, relative

GATE, SPACE = "hydra.sweeper.gate", "hydra.sweeper.custom_search_space"
WAIT = 1.0  # seconds between looks at what runs


class SweepEngine(OptunaSweeperImpl):
    """See `mnist_sweep.sweep.sweeper.BudgetSweeper` for the settings."""

    def __init__(
        self,
        *stock: Any,
        settings: Settings,
        sampler_config: DictConfig | None,
        pruner_config: DictConfig | None,
        conditional: DictConfig | None,
        enqueued: Any,
    ) -> None:
        super().__init__(*stock)
        self.settings = settings
        named = settings.custom_search_space
        self.custom_search_space_extender = locate(SPACE, named, KINDS[SPACE]) if named else None
        self.sampler_config, self.conditional = sampler_config, conditional
        self.enqueued = enqueued or []
        self.pruner = build_pruner(pruner_config)
        gate = settings.gate
        self.gate = locate(GATE, gate, KINDS[GATE]) if gate else None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives; the launcher is made by the stock sweeper."""
        self.study_name = self.settings.study_name = take_study_name(config)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.context, self.composed = hydra_context, config
        self.directory = Path(str(self.sweep_dir))
        self.application = Application(config, str(self.sweep_dir))
        self.program = this_program()

    def sweep(self, arguments: list[str]) -> None:
        """Run the study to `n_trials` launched trials in all, and write its results.

        Raises SweepError when the study cannot be gone on with, when nothing passes the gate, or
        when too many trials fail. Exits with code 130 on Ctrl-C.
        """
        if self.application.resumes:
            raise SweepError("resume is for a single run: a sweep goes on by its own command")
        self.fresh: optuna.Study | None = None  # one that this call made, until it holds something
        try:
            try:
                self._open(arguments)
                try:
                    self._work()
                finally:
                    self._close()
            except BaseException:
                self._leave_no_empty_study()
                raise
        except OSError as error:
            raise SweepError(explain(error, relative(self.directory))) from error
        except KeyboardInterrupt:
            print("interrupted: the same command goes on with the study", file=sys.stderr)
            sys.exit(130)
        except OUTAGE as error:
            raise SweepError(
                f"the storage does not answer: {self._said(error)}; when it does, the same "
                "command goes on with the study"
            ) from error

    def _said(self, error: Exception) -> str:
        return said_of(self.settings.storage, one_line(error))[:200]

    def _close(self) -> None:
        """End what runs, leave it to be gone on with, and say how things stand."""
        try:
            self.dispatcher.close(PATIENCE)
        except KeyboardInterrupt:  # a second one: whoever runs has had time enough
            self.dispatcher.close(0)
        self.supply.close()
        if self._holds_nothing():
            self.progress.end_view()
            return  # the sweep could not start, which is said by what is raised
        results.write_results(self.study, self.settings.storage, self.directory)
        self.progress.conclude(results.path_in(self.directory))

    def _holds_nothing(self) -> bool:
        """Whether this call made the study, and none of its trials has begun or been judged."""
        if self.fresh is None or not studies.is_empty(self.fresh):
            return False
        trials = self.fresh.get_trials(deepcopy=False)
        if self.application.names_trials:
            return not any((self.directory / str(trial.number)).exists() for trial in trials)
        return not any(studies.was_launched(trial) for trial in trials)

    def _leave_no_empty_study(self) -> None:
        """Take away what a sweep that could not start has made: its study, and its directory."""
        if self.fresh is None or not self._holds_nothing():
            return
        with suppress(*OUTAGE, KeyError):  # KeyError: another sweep of it failed as well
            optuna.delete_study(study_name=self.fresh.study_name, storage=self.fresh._storage)
        for folder in (self.directory / "workers", self.directory):
            with suppress(OSError):  # there is something in it
                folder.rmdir()

    def _open(self, arguments: list[str]) -> None:
        """Open the study and check that this sweep is the one it holds."""
        directions = self._get_directions()
        if self.application.names_trials:
            check_effects(self.composed.hydra, sweeps=True)
            check_study_name(self.study_name)
        check_objective(self.composed, directions)
        loader = self.context.config_loader
        compose = Composer(loader, self.composed)
        current = Current(self.composed, compose)
        space = parse_space(self.params, self.conditional, arguments, current, loader)
        unmet = check_conditions(space, current)
        missing: list[str] = []
        ours = self.application.names_trials
        if ours:
            check_space(space, current)
            space.find_varying(current)
            missing = space.without_missing(current.is_setting)
            if not self.custom_search_space_extender:
                check_searches(space, unmet, current)
        self.application.check({name for name, _ in space.distributions()})
        sampler, points = sampling.take_grid(self.sampler, space)
        self.total = min(self.n_trials, points or self.n_trials)
        self.dispatcher = self._dispatcher()
        storage = open_storage(self.settings.storage)
        off = why_off(self.pruner, directions, storage.shared, self.application.objective)
        pruner = build_pruner(None) if off else self.pruner
        lock = partial(storage.lock, self.study_name or "")
        self.directory.mkdir(parents=True, exist_ok=True)
        with lock():
            known = studies.exists(self.study_name, storage)
            self.study = studies.open_study(self.study_name, storage, sampler, pruner, directions)
            self.fresh = None if known else self.study
            space.settings |= studies.decided(self.study, self._derived(space))
            definition = self.application.definition(space.describe())
            self._check_definition(definition)
            studies.check_distributions(self.study, space.distributions())
            if self.application.names_trials:
                results.check_directory(self.study, self.directory)
            studies.record_start(self.study, relative(self.directory), self.program.recorded())
            earlier = studies.count_sweep(self.study)
            self.study.sampler = sampling.reseed(self.study.sampler, self.sampler_config, earlier)
            enqueue(self.study, space, current, self.enqueued, self.settings.default_first)
        # Another application's job may answer otherwise to the same question; ours does not.
        repeatable = ours and not self.custom_search_space_extender and points is None
        untried = Points(self.study, space, current) if repeatable else None
        left = self._limit(untried)
        proposer = Proposer(
            self.study,
            space,
            current,
            compose,
            self.gate,
            self.custom_search_space_extender,
            partial(self.application.trial_overrides, self.study.study_name),
            self.settings.resamples,
            untried,
            check_name if ours else lambda name: None,
        )
        self.progress = Progress(
            self.study,
            self.settings,
            self.total,
            self.application.objective,
            self.directory,
            self.program,
        )
        self.progress.decisions(missing, unmet, off, self.dispatcher, left)
        self.supply = Supply(
            self.study,
            lock,
            proposer,
            self.progress,
            self.settings,
            self.total,
            lambda: studies.record_definition(self.study, definition),
        )
        self.started, self.began_at = time.monotonic(), time.time()
        self.anything_began = False
        runs = self.directory if self.application.names_trials else None
        self.teller = Teller(self.study, self.supply, self.progress, runs)
        self.deaths = Deaths(self.settings.max_retries)
        self.retries: list[Proposal] = []

    def _derived(self, space: SearchSpace) -> set[str]:
        """Return the settings whose range a resolver of the config computes."""
        params = OmegaConf.select(self.composed, "hydra.sweeper.params")
        if not isinstance(params, DictConfig):
            return set()
        names = {n for n in map(str, params) if OmegaConf.is_interpolation(params, n)}
        return names & space.optional & space.settings.keys()

    def _limit(self, points: Points | None) -> int | None:
        """Lower the total to what a small space has; return what that has left, None if enough."""
        if points is None:
            return None
        launched = studies.launched(self.study)
        wanted = self.total - launched
        if wanted <= 0:
            return None
        left = points.left(wanted)
        if left >= wanted:
            return None
        self.total = launched + left
        return left

    def _check_definition(self, definition: dict[str, Any]) -> None:
        """Refuse another search than the study's; one that could be none says that instead."""
        try:
            studies.check_definition(self.study, definition)
        except SweepError:
            if self.gate is not None and self.application.names_trials:
                self.application.judge(self.gate)
            raise

    def _dispatcher(self) -> Dispatcher:
        """Return what runs the jobs: workers that each ask when free, or a launcher in batches."""
        assert self.launcher is not None
        settings = self.settings
        if isinstance(self.launcher, WorkersLauncher):
            logs = self.directory / "workers" if self.application.names_trials else None
            return self.launcher.workers(
                settings.n_jobs, logs, settings.trial_timeout, settings.preload
            )
        if settings.trial_timeout is not None:
            raise SweepError(
                f"hydra.sweeper.trial_timeout={settings.trial_timeout:g} needs "
                "hydra/launcher=workers, which can end a job; leave it out"
            )
        # The basic launcher runs a batch one by one: nothing is gained by waiting for its end.
        one_by_one = isinstance(self.launcher, BasicLauncher)
        size = 1 if one_by_one else settings.n_jobs or 2
        return Batches(self.launcher, size, numbered=not self.application.names_trials)

    def _work(self) -> None:
        self.dispatcher.expect(self.total - studies.finished(self.study))
        while True:
            self._fill()
            if not self.dispatcher.running():
                if self._is_over() or not self._may_come_back():
                    break
                self.progress.waiting()
            for finished in self.dispatcher.wait(WAIT):
                self._tell(finished)
            running = self.dispatcher.running()
            self.teller.look_at(running)
            self.progress.refresh(running)

    def _may_come_back(self) -> bool:
        return bool(self.retries) or self.supply.may_come_back()

    def _fill(self) -> None:
        """Give every free slot a trial, as far as there are any."""
        while self.dispatcher.free() and not self._is_over():
            proposal = self._retry() or self.supply.next()
            if proposal is None:
                return
            self.teller.begins(proposal.trial.number)
            self.progress.begins(proposal.trial.number)
            self.dispatcher.start(Job(proposal.trial.number, proposal.overrides))

    def _retry(self) -> Proposal | None:
        """Return a trial whose process died, once that is certain; None where there is none."""
        for position, proposal in enumerate(self.retries):
            if not self.supply.may_still_run(proposal):
                return self.retries.pop(position)
        return None

    def _is_over(self) -> bool:
        """Whether an end besides n_trials has been reached."""
        timeout, plateau = self.settings.timeout, self.settings.plateau
        if timeout is not None and time.monotonic() - self.started > timeout:
            return self.progress.over(f"timeout={timeout:g} seconds have passed")
        if plateau is not None and results.trials_since_best(self.study) >= plateau:
            return self.progress.over(f"no better trial among the last {plateau} (plateau)")
        return False

    def _tell(self, finished: Finished) -> None:
        """Tell the study what became of a job, or have it run again where its process died."""
        proposal = self.supply.open[finished.job.number]
        self.anything_began = self.anything_began or self._began(finished)
        if self.deaths.worth_another_try(finished):
            self.progress.retrying(proposal.trial.number, str(finished.reason))
            self.retries.append(proposal)
            return
        if not self.anything_began:
            # No fault of the trial's, which is left to be gone on with when the launcher works.
            raise SweepError(f"trial {finished.job.number} cannot be started: {finished.reason}")
        try:
            self.teller.tell(proposal, finished)
        finally:
            results.write_results(self.study, self.settings.storage, self.directory, final=False)

    def _began(self, finished: Finished) -> bool:
        """Whether some job has begun: this one came back or wrote its config, or one has signed."""
        if not finished.died:
            return True
        config = self.directory / str(finished.job.number) / ".hydra" / "config.yaml"
        written = config.exists() and config.stat().st_mtime > self.began_at
        return written or not self.application.names_trials or self.supply.has_begun()
