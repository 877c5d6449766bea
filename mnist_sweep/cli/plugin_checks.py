"""Before Hydra instantiates what a config names: callbacks, and a sweep's plugins.

Hydra's own refusal is a traceback of its inside. conf/config.yaml has `CheckPlugins` as the first
callback, so that a refusal of ours, in one line, is there before it.
"""

from typing import Any, NoReturn

from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.allowed_targets import KINDS, locate, resolved, targets_in
from mnist_sweep.cli import encoding
from mnist_sweep.config import ConfigError
from mnist_sweep.errors import UserError
from mnist_sweep.text import one_line, shortened

PLUGINS: tuple[tuple[str, type[Plugin]], ...] = (("sweeper", Sweeper), ("launcher", Launcher))


class CheckPlugins(Callback):
    """Ends the program in one line where a config names what Hydra may not instantiate.

    `named` are the targets of all callbacks, under their keys; see `named_callbacks`.
    """

    def __init__(self, named: dict[str, Any] | None = None) -> None:
        try:
            for setting, path in (named or {}).items():
                locate(setting, path, KINDS["hydra.callbacks"])
        except UserError as error:
            _end(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the sweep's plugins, which Hydra takes from those that are installed."""
        try:
            for name, base in PLUGINS:
                check_plugin(f"hydra.{name}", config.hydra[name], base)
        except UserError as error:
            _end(error)


def check_plugin(setting: str, node: Any, base: type[Plugin]) -> None:
    """Raise ConfigError for a node whose target is not an installed plugin of a type."""
    target = OmegaConf.select(node, "_target_") if OmegaConf.is_dict(node) else None
    known = sorted(f"{c.__module__}.{c.__qualname__}" for c in Plugins.instance().discover(base))
    if target not in known:
        raise ConfigError(
            f"{setting}._target_={shortened(target)} is not an installed plugin; "
            f"installed are {', '.join(known)}"
        )


def register_named_callbacks() -> None:
    """Make known the resolver that conf/ gives `CheckPlugins` its `named` by."""
    OmegaConf.register_resolver("named_callbacks", named_callbacks, replace=True)


def named_callbacks(*, _root_: DictConfig) -> dict[str, Any]:
    """Return the targets of all callbacks that a config has, by their full keys."""
    found: dict[str, Any] = {}
    try:
        for name, node in _root_.hydra.callbacks.items_ex(resolve=False):
            if name == KEY:
                continue
            setting = f"hydra.callbacks.{name}"
            targets = dict(targets_in(setting, resolved(node)))
            found |= targets if f"{setting}._target_" in targets else {setting: resolved(node)}
    except OmegaConfBaseException as error:
        _end(ConfigError(f"hydra.callbacks: {one_line(error)}"))
    return found


KEY = "check_plugins"  # its key in conf/config.yaml


def _end(error: UserError) -> NoReturn:
    # Hydra turns what callbacks raise into a warning, and continues.
    encoding.fail(str(error))
