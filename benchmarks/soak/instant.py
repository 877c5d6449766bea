"""A Hydra launcher that takes no time, `hydra/launcher=instant`: the engine without its workers."""

from collections.abc import Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from benchmarks.soak.landscape import closeness


class InstantLauncher(Launcher):
    """A launcher whose jobs have ended at once: what is left is the sweep's own process.

    The objective is computed from the overrides; nothing is composed, written or reported.
    """

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Need nothing."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Return what each job would have returned."""
        return [self._done(overrides) for overrides in job_overrides]

    def _done(self, overrides: Sequence[str]) -> JobReturn:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        given: dict[str, Any] = {each.key_or_group: each.value() for each in parsed}
        done = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
        done.return_value = closeness(given["x"], given["y"], given["depth"], given["kind"])
        return done


def register_instant() -> None:
    """Make `hydra/launcher=instant` known."""
    Plugins.instance().register(InstantLauncher)
    target = {"_target_": f"{__name__}.InstantLauncher"}
    ConfigStore.instance().store(group="hydra/launcher", name="instant", node=target)
