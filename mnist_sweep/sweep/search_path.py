"""The plugin that lets any Hydra application name our sweeper, its pruners and our launcher."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from mnist_sweep.sweep import first_rung  # noqa: F401, the configs' resolver


class SweepSearchPath(SearchPathPlugin):
    """A plugin that puts the sweeper's config groups last, those of an application first."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add `hydra/sweeper`, `hydra/sweeper/pruner` and `hydra/launcher`."""
        search_path.append(provider="mnist_sweep", path="pkg://mnist_sweep.sweep.conf")
