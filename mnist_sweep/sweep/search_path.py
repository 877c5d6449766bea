"""The plugin that lets any Hydra application name our sweeper, its pruners and our launchers."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from mnist_sweep.sweep import first_rung  # noqa: F401, the configs' resolver
from mnist_sweep.sweep.cluster_launchers import DaskTasksLauncher, RayTasksLauncher


class SweepSearchPath(SearchPathPlugin):
    """A plugin that puts the sweeper's config groups last, those of an application first."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add `hydra/sweeper`, `hydra/sweeper/pruner` and `hydra/launcher`."""
        # Not by entry points: an editable install would know them only once it is installed again.
        for launcher in (RayTasksLauncher, DaskTasksLauncher):
            Plugins.instance().register(launcher)
        search_path.append(provider="mnist_sweep", path="pkg://mnist_sweep.sweep.conf")
