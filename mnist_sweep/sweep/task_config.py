"""What a sweep reads from the config of the application that it sweeps, ours or another's."""

import re
from collections.abc import Callable, Collection
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.config import ConfigError, RunConfig
from mnist_sweep.config_checks import check, check_command
from mnist_sweep.errors import UserError
from mnist_sweep.hydra_part import without_hydra
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.settings import objective_names
from mnist_sweep.sweep.space.values import quoted


def names_trials(config: DictConfig) -> bool:
    """Whether jobs of a config are told their study and trial."""
    return "study" in config and "trial" in config


class TaskConfig:
    """The composed config of a sweep, asked what the sweep needs to know.

    Jobs that are told their study and trial run in a directory named after the trial
    (`names_trials`), as `ours` are; the config of another application may know neither.
    """

    def __init__(self, config: DictConfig, sweep_directory: str) -> None:
        self.config, self.sweep_directory = config, sweep_directory
        self.names_trials = names_trials(config)

    @property
    def ours(self) -> bool:
        """Whether its jobs are runs of this project, by most of whose settings it has.

        Another application may be told its trial too.
        """
        own = [each.name for each in fields(RunConfig) if each.name in self.config]
        return self.names_trials and 2 * len(own) >= len(fields(RunConfig))

    @property
    def resumes(self) -> bool:
        """Whether it resumes a single run, which no sweep can."""
        return self.names_trials and OmegaConf.select(self.config, "resume") not in (None, False)

    @property
    def objectives(self) -> list[str]:
        """What the user calls the values that a job returns; empty where the config has no name."""
        return objective_names(self.config)

    @property
    def objective(self) -> str:
        """What the user calls the value that a job returns."""
        return ", ".join(self.objectives) or "value"

    @property
    def budget(self) -> int | None:
        """The most parameters that a run may have; None where the config has no such limit."""
        limit = OmegaConf.select(
            self.config, "budget.max_parameters", throw_on_resolution_failure=False
        )
        return limit if isinstance(limit, int) and not isinstance(limit, bool) else None

    def check(self, searched: Collection[str]) -> None:
        """Raise SweepError where the composed config is no run, whatever is searched in it.

        Only of this project's runs.
        """
        if not self.ours:
            return
        try:
            check_command(check(without_hydra(self.config)))
        except ConfigError as error:
            words = set(re.findall(r"[\w.]+", str(error)))
            if not words & {name.lstrip("+") for name in searched}:
                raise SweepError(str(error)) from error

    def judge(self, gate: Callable[[DictConfig, DictConfig], object]) -> None:
        """Raise SweepError where the composed config is no run to the gate."""
        try:
            gate(without_hydra(self.config), self.config.hydra)
        except UserError as error:
            raise SweepError(str(error)) from error

    def definition(self, space: dict[str, Any]) -> dict[str, Any]:
        """Return what makes a study this study: space with fixed settings, budget, objective."""
        return {"search": space} | {key: self._plain(key) for key in ("budget", "objective")}

    def _plain(self, name: str) -> Any:
        """Return a setting as plain data, its interpolations resolved where they can be."""
        value = OmegaConf.select(self.config, name, throw_on_resolution_failure=False)
        if not OmegaConf.is_config(value):
            return value
        try:
            return OmegaConf.to_container(value, resolve=True)
        except OmegaConfBaseException:
            return OmegaConf.to_container(value, resolve=False)

    def lease_overrides(self, token: str) -> list[str]:
        """Return the override that tells a job which launch of its trial it is."""
        return [f"lease={token}"] if self.names_trials and "lease" in self.config else []

    def trial_overrides(self, study: str, number: int) -> list[str]:
        """Return the overrides that tell a job which trial it is."""
        if not self.names_trials:
            return []
        return [
            f"study={quoted(study)}",
            f"trial={number}",
            # Fixed here: a job's own choices could rename it, and Hydra numbers a batch on from its
            # first job, also where the trials between them were rejected.
            f"hydra.sweep.dir={quoted(self.sweep_directory)}",
            f"hydra.sweep.subdir='{number}'",
        ]
