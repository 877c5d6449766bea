"""From `_target_` config nodes to objects: what may be named, what it takes, the call."""

import inspect
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, make_dataclass
from functools import lru_cache
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.config import ConfigError, typed
from mnist_sweep.text import one_line

ENVIRONMENT_VARIABLE = "MNIST_SWEEP_TARGETS"
OURS = (
    "mnist_sweep.models.*",
    "mnist_sweep.schedules.*",
    "mnist_sweep.sweep.*",
    "mnist_sweep.tracking.mlflow.SweepRun",
    "torch.optim.*",
)


def execution_whitelist() -> list[str]:
    """Return the patterns of targets that a config may name.

    Ours, torch's optimizers, and those in the environment variable MNIST_SWEEP_TARGETS, separated
    by commas ("my_package.*"). It is no config setting on purpose: a config must not be able to
    widen what configs may execute.
    """
    extra = os.environ.get(ENVIRONMENT_VARIABLE, "").split(",")
    patterns = [pattern.strip() for pattern in extra if pattern.strip()]
    return [*OURS, *patterns]


def build(group: str, node: Any, **given: Any) -> Any:
    """Call a node's target with its settings and with the `given` arguments.

    Raises ConfigError in one line, beginning with the group's name, when the target may not be
    named, does not exist, takes no such setting, or raises for its value.
    """
    target, settings = check_node(group, node, tuple(given))
    try:
        return target(**settings, **given)
    except Exception as error:  # what a target raises for a wrong value is its own choice
        if isinstance(error, ValueError):
            raise ConfigError(f"{group}: {one_line(error)}") from error
        kind = type(error).__name__
        raise ConfigError(f"{group} with {settings}: {kind}: {one_line(error)}") from error


def check_node(
    group: str, node: Any, given: tuple[str, ...]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return a node's target and its settings, checked against the target's signature.

    Raises ConfigError as `build` does.
    """
    if not isinstance(node, Mapping | DictConfig) or "_target_" not in node:
        raise ConfigError(f"{group} must be a config with a _target_, but got {node!r}")
    target = locate(f"{group}._target_", str(node["_target_"]))
    parameters, takes_any = _parameters(target)
    settings = {str(key): node[key] for key in node if key != "_target_"}
    accepted = [name for name in parameters if name not in given]
    for name in settings:
        if name not in accepted and not takes_any:
            raise ConfigError(
                f"{group}.{name}={settings[name]}: {target.__name__} takes no such setting; "
                f"it takes {', '.join(accepted) or 'none'}"
            )
    required = [name for name in accepted if parameters[name].default is inspect.Parameter.empty]
    absent = [name for name in required if name not in settings]
    if absent:
        raise ConfigError(f"{group}: {target.__name__} needs a value for {', '.join(absent)}")
    return target, _typed_settings(group, target, settings)


@lru_cache(maxsize=256)  # a sweep's gate asks for the same target again and again
def _authorized(path: str, whitelist: tuple[str, ...]) -> Callable[..., Any]:
    deferred = instantiate(
        {"_target_": path, "_partial_": True}, _execution_whitelist_=list(whitelist)
    )
    target: Callable[..., Any] = deferred.func
    return target


def locate(setting: str, path: str) -> Callable[..., Any]:
    """Authorize, import and return what a setting names by its dotted path, without calling it.

    Raises ConfigError when it may not be named or does not exist.
    """
    try:
        return _authorized(path, tuple(execution_whitelist()))
    except InstantiationException as error:
        reason = one_line(error)
        if "is not in the" in reason:
            reason = (
                f"it is not allowed; allow it through the environment variable, say "
                f"{ENVIRONMENT_VARIABLE}={path.split('.')[0]}.*"
            )
        raise ConfigError(f"{setting}={path}: {reason}") from error


@lru_cache(maxsize=256)
def _parameters(target: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return a target's named parameters, and whether it takes any other keyword as well."""
    found = inspect.signature(target).parameters.values()
    by_name = {p.name: p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return by_name, any(p.kind is p.VAR_KEYWORD for p in found)


def _typed_settings(
    group: str, target: Callable[..., Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Convert settings to the annotated types, or raise ConfigError where one does not fit."""
    annotations = _annotations(target)
    plain = {name: _plain(value) for name, value in settings.items()}
    if all(_is_exactly(plain[name], annotations.get(name, Any)) for name in plain):
        return plain  # as it mostly is, and a sweep's gate asks hundreds of times
    schema = _schema(target, tuple(settings))
    merged = typed(schema, OmegaConf.create(settings), where=group)
    converted = OmegaConf.to_container(merged)
    assert isinstance(converted, dict)
    return {str(name): value for name, value in converted.items()}


@lru_cache(maxsize=256)
def _schema(target: Callable[..., Any], names: tuple[str, ...]) -> type:
    """Return a dataclass with a field for each named setting, of its annotated type."""
    annotations = _annotations(target)
    return make_dataclass(
        "Settings", [(name, annotations.get(name, Any), field(default="???")) for name in names]
    )


@lru_cache(maxsize=256)
def _annotations(target: Callable[..., Any]) -> dict[str, Any]:
    """Return of each parameter's annotation what can be checked."""
    try:
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except NameError:  # annotations that exist for type checkers only
        return {}
    return {name: _checkable(hint) for name, hint in hints.items()}


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _is_exactly(value: Any, annotation: Any) -> bool:
    """Whether a plain value is of an annotation's type, with nothing left to convert."""
    if annotation in (int, float, str, bool):
        return type(value) is annotation
    if typing.get_origin(annotation) is list:
        (item,) = typing.get_args(annotation)
        return type(value) is list and all(_is_exactly(entry, item) for entry in value)
    return False  # left to OmegaConf


def _checkable(annotation: Any) -> Any:
    """Return the part of an annotation that OmegaConf can check; Any where there is none."""
    if annotation in (int, float, str, bool):
        return annotation
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        plain = [a for a in arguments if a in (int, float, str, bool)]
        if len(plain) != 1:
            return Any
        return plain[0] | None if type(None) in arguments else plain[0]
    if typing.get_origin(annotation) in (list, Sequence) and arguments:
        return list[_checkable(arguments[0])]  # type: ignore[misc]
    return Any
