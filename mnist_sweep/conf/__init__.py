"""The configs, for Hydra's `pkg://mnist_sweep.conf`; importing this makes their resolvers known."""

from mnist_sweep.cli import plugin_checks, settings_help
from mnist_sweep.conf import augmented_shares, run_resolvers, width_interval


def register() -> None:
    """Make the resolvers known that the configs name; again where another has taken a name."""
    run_resolvers.register()
    plugin_checks.register_named_callbacks()
    settings_help.register()
    augmented_shares.register()
    width_interval.register()


register()
