"""What a config may have executed: of each group its own kind, known before anything is called."""

import importlib
import inspect
import os
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mnist_sweep.config import ConfigError
from mnist_sweep.private_names import STOCK_SAMPLERS
from mnist_sweep.text import one_line, shortened

ENVIRONMENT_VARIABLE = "MNIST_SWEEP_TARGETS"

# What Hydra itself instantiates from this project's configs: callbacks, by their exact names.
CALLBACKS = (
    "mnist_sweep.cli.plugin_checks.CheckPlugins",
    "mnist_sweep.run.dry_run.DryRun",
    "mnist_sweep.run.tracking.mlflow.SweepRun",
    "hydra.experimental.callbacks.LogJobReturnCallback",
)

# What Hydra's logging configuration makes, by its exact name.
HANDLERS = ("mnist_sweep.cli.terminal.ConsoleHandler",)

PATTERN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(\.\*)?")


@dataclass(frozen=True)
class Kind:
    """What one group of configs may name, and what must be true of it before it is called.

    `packages` are modules, with those below them, whose own public classes may be named when they
    derive from one of `bases`; their functions too where `functions` says so, when they are
    annotated to return one. `exact` are single names beside those. What MNIST_SWEEP_TARGETS allows
    may also be any function: what it returns is checked. `classes` is whether a class will do.
    `applications`: what neither allows is left to the whitelist of the application's `hydra.main`,
    or to Hydra where it has none, as the stock sweeper does.
    """

    packages: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    functions: bool = False
    classes: bool = True
    exact: tuple[str, ...] = ()
    applications: bool = False

    def names(self, path: str) -> bool:
        """Whether a dotted path lies in the packages."""
        return any(path.startswith(f"{package}.") for package in self.packages)

    def accepts(self, target: Any, own: bool) -> bool:
        """Whether a target is of this kind.

        `own`: of the packages themselves, whose functions must meet more conditions.
        """
        bases = tuple(_object(base) for base in self.bases)
        if inspect.isclass(target):
            return self.classes and (not bases or issubclass(target, bases))
        if not own:
            return callable(target)
        if not self.functions or not inspect.isfunction(target):
            return False
        returned = typing.get_type_hints(target).get("return")
        return inspect.isclass(returned) and issubclass(returned, bases)


KINDS = {
    "model": Kind(("mnist_sweep.models",), ("torch.nn.Module",)),
    "optimizer": Kind(("torch.optim",), ("torch.optim.Optimizer",)),
    "scheduler": Kind(
        ("mnist_sweep.schedules",), ("mnist_sweep.schedules.Schedule",), functions=True
    ),
    "hydra.sweeper.gate": Kind(
        ("mnist_sweep.sweep.gate",),
        ("mnist_sweep.sweep.gate.Verdict",),
        functions=True,
        classes=False,
    ),
    "hydra.sweeper.probe": Kind(
        ("mnist_sweep.sweep.probe",),
        ("mnist_sweep.sweep.probe.RunCost",),
        functions=True,
        classes=False,
    ),
    "hydra.sweeper.custom_search_space": Kind(classes=False, applications=True),
    "hydra.sweeper.sampler": Kind(
        ("optuna.samplers",),
        (
            "optuna.samplers.BaseSampler",
            "optuna.samplers.nsgaii.BaseCrossover",
            "optuna.samplers.nsgaii.BaseMutation",
        ),
        exact=(
            f"{STOCK_SAMPLERS}.create_nsgaii_sampler",
            f"{STOCK_SAMPLERS}.create_nsgaiii_sampler",
            "hydra_plugins.hydra_optuna_sweeper.config.raise_motpe_removed",
        ),
    ),
    "hydra.sweeper.pruner": Kind(("optuna.pruners",), ("optuna.pruners.BasePruner",)),
    # Only what the user allows: such a class may run any command of its settings.
    "hydra.launcher.cluster": Kind(bases=("distributed.deploy.cluster.Cluster",)),
    "hydra.callbacks": Kind(bases=("hydra.experimental.callback.Callback",), exact=CALLBACKS),
}


def users_patterns() -> tuple[str, ...]:
    """Return the patterns of MNIST_SWEEP_TARGETS, separated by commas ("my_package.*").

    It is no config setting on purpose: a config must not be able to widen what configs may
    execute. Raises ConfigError for what is no pattern.
    """
    given = os.environ.get(ENVIRONMENT_VARIABLE, "").split(",")
    patterns = tuple(pattern.strip() for pattern in given if pattern.strip())
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            raise ConfigError(
                f"{ENVIRONMENT_VARIABLE}: {pattern!r} is not a pattern; write a dotted name "
                "(my_package.Net), or a package and all that is in it (my_package.*)"
            )
    return patterns


def hydra_whitelist() -> list[str]:
    """Return what `hydra.main` may let Hydra execute: callbacks, handlers, what users allow.

    It is one list for every node of a config, so it holds nothing that has a `Kind` of its own.
    Raises ConfigError.
    """
    return [*CALLBACKS, *HANDLERS, *users_patterns()]


def locate(setting: str, path: Any, kind: Kind) -> Callable[..., Any]:
    """Return what a setting names by its dotted path, without calling it.

    Raises ConfigError when it may not be named, does not exist, or is not of the kind.
    """
    if not isinstance(path, str) or not PATTERN.fullmatch(path) or path.endswith(".*"):
        raise ConfigError(
            f"{setting}={shortened(path)} is not the dotted name of a class or function"
        )
    return _located(setting, path, kind, users_patterns())


@lru_cache(maxsize=256)  # a sweep's gate asks for the same target again and again
def _located(setting: str, path: str, kind: Kind, users: tuple[str, ...]) -> Callable[..., Any]:
    if path in kind.exact:
        target: Callable[..., Any] = _object(path)
        return target
    own = kind.names(path) and not _matches(path, users)
    target = _own(setting, path) if own else _allowed(setting, path, kind, users)
    if not kind.accepts(target, own):
        asked = " or ".join(base.rpartition(".")[2] for base in kind.bases) or "result"
        what = "class" if inspect.isclass(target) else "function"
        raise ConfigError(
            f"{setting}={path} is not allowed here: {what} {name_of(target)} does not give a "
            f"{asked}"
        )
    return target


def check_tree(setting: str, node: Any, kind: Kind) -> None:
    """Check every `_target_` of a node and of the nodes in it, before Hydra instantiates them.

    Raises ConfigError.
    """
    for name, path in targets_in(setting, node):
        locate(name, path, kind)


def targets_in(setting: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield each `_target_` in a node, with the full key of its place."""
    found = resolved(node)
    if isinstance(found, Mapping):
        if "_target_" in found:
            yield f"{setting}._target_", found["_target_"]
        for key, value in found.items():
            yield from targets_in(f"{setting}.{key}", value)
    elif isinstance(found, Sequence) and not isinstance(found, str):
        for position, value in enumerate(found):
            yield from targets_in(f"{setting}[{position}]", value)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path is one of some names, or below one of some packages, as Hydra matches them."""
    return any(
        path.startswith(pattern[:-1]) if pattern.endswith(".*") else path == pattern
        for pattern in patterns
    )


def _own(setting: str, path: str) -> Any:
    """Return a public name of a module, of the package that defines it.

    Of modules only, one after another: through a class, or another module that one has imported,
    a path leads anywhere.
    """
    module, _, name = path.rpartition(".")
    if any(part.startswith("_") for part in path.split(".")):
        raise ConfigError(f"{setting}={path} is not allowed: a name that begins with _ is private")
    try:
        target = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{setting}={path} does not exist: {one_line(error)}") from error
    package = ".".join(module.split(".")[:2])
    defined = str(getattr(target, "__module__", None))
    if defined != package and not defined.startswith(f"{package}."):
        raise ConfigError(
            f"{setting}={path} is not allowed: {module} only imports it; name the module "
            "that defines it"
        )
    return target


def _allowed(setting: str, path: str, kind: Kind, users: tuple[str, ...]) -> Any:
    """Have Hydra authorize, import and return what the environment variable has to allow.

    In another application, what its own `hydra.main` allows too.
    """
    left_to_hydra = kind.applications and not _matches(path, users)
    allowed = None if left_to_hydra else list(users)
    try:
        deferred = instantiate({"_target_": path, "_partial_": True}, _execution_whitelist_=allowed)
    except InstantiationException as error:
        reason = one_line(error)
        if "is not in the" in reason:
            raise ConfigError(not_allowed(setting, path)) from error
        raise ConfigError(f"{setting}={path}: {reason}") from error
    return deferred.func


def not_allowed(setting: str, path: str) -> str:
    """Say that a target may not be named, and how to allow it."""
    return f"{setting}={path}: {how_to_allow(path)}"


def how_to_allow(path: str) -> str:
    """Say that something is not allowed, and what would allow it."""
    return (
        "it is not allowed here; if you trust it, set the environment variable "
        f"{ENVIRONMENT_VARIABLE}={path}"
    )


def _object(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def name_of(target: Any) -> str:
    """Return what a class or function is called."""
    return str(getattr(target, "__name__", type(target).__name__))


def resolved(value: Any) -> Any:
    """Return a config's value as plain data, its interpolations resolved."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
