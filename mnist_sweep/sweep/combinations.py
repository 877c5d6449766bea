"""Plain Hydra's multirun, to its end: every combination runs, and those that failed are listed."""

import traceback
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from mnist_sweep.cli.entry import is_of_logging
from mnist_sweep.cli.ineffective_settings import check_effects
from mnist_sweep.config import NO_PLAN
from mnist_sweep.errors import full_errors
from mnist_sweep.private_names import BasicSweeper
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.zipped import combinations, groups_of
from mnist_sweep.text import counted, one_line


class Combinations(BasicSweeper):
    """Hydra's basic sweeper, but a batch that has a failure does not end it.

    `zip`: settings, or lists of settings, whose values advance together.
    """

    def __init__(
        self, max_batch_size: int | None, params: dict[str, str] | None = None, zip: Any = None
    ) -> None:
        super().__init__(max_batch_size, params)
        self.zip = zip

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take what Hydra gives, and hear from the launcher what came of each job."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        assert self.launcher is not None
        self.listener = self.launcher = _Listener(self.launcher)

    def sweep(self, arguments: list[str]) -> Any:
        """Run every combination. Raises SweepError with a line for each that failed."""
        assert self.config is not None
        check_effects(self.config.hydra, sweeps=True)
        if self.config.get("dry_run"):
            raise SweepError(NO_PLAN)
        self.groups = groups_of(self.zip)
        returns = super().sweep(arguments)
        failures = self.listener.failed()
        if failures:
            count = f"{len(failures)} of {counted(len(self.listener.jobs), 'run')} failed:"
            raise SweepError("\n".join([count, *failures]))
        return returns

    def split_arguments(  # type: ignore[override]  # Hydra's is static, and knows no groups
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """Return the batches of combinations. Raises SweepError for settings that do not go."""
        swept: dict[str, list[str]] = {}
        for override in overrides:
            if override.is_discrete_sweep() and not list(override.sweep_string_iterator()):
                raise SweepError(
                    f"{override.input_line}: it has no value to run; name a config group that has "
                    "options of such names"
                )
            (alone,) = super().split_arguments([override], None)
            swept[override.get_key_element().lstrip("+")] = [line for (line,) in alone]
        found = combinations(swept, self.groups)
        return [list(b) for b in self.split_overrides_to_chunks(found, max_batch_size)]


class _Listener(Launcher):
    """A launcher that keeps each job's outcome, and returns a failed job as a completed one."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.jobs: list[tuple[list[str], str | None]] = []  # overrides, and why it failed

    def setup(self, **given: Any) -> None:
        """Do nothing: the launcher is set up already."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch. Raises SweepError where the launcher cannot."""
        try:
            returns = self.launcher.launch(job_overrides, initial_job_idx)
        except (HydraException, OSError):
            raise
        except Exception as error:  # each launcher has its own kinds
            if is_of_logging(error):
                raise
            name = type(self.launcher).__name__
            raise SweepError(f"{name}: {type(error).__name__}: {one_line(error)}") from error
        return [self._kept(list(o), r) for o, r in zip(job_overrides, returns, strict=True)]

    def _kept(self, overrides: list[str], returned: JobReturn) -> JobReturn:
        from mnist_sweep.sweep.trials.outcomes import (  # optuna comes with it
            JobFailed,
            check_completed,
        )

        try:
            check_completed(returned)
        except JobFailed as failure:
            if full_errors():
                traceback.print_exception(failure.__cause__)
            self.jobs.append((overrides, str(failure)))
            return JobReturn(status=JobStatus.COMPLETED)
        self.jobs.append((overrides, None))
        return returned

    def failed(self) -> list[str]:
        """Return a line for each job that failed: its number, what only it has, and why."""
        common = set.intersection(*(set(overrides) for overrides, _ in self.jobs))
        return [
            f"  #{number} {' '.join([o for o in overrides if o not in common])}: {reason}"
            for number, (overrides, reason) in enumerate(self.jobs)
            if reason is not None
        ]
