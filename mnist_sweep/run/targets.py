"""From `_target_` config nodes to objects: what a target takes, and the call."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, make_dataclass
from functools import lru_cache
from typing import Any

from hydra.utils import execution_whitelist
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.allowed_targets import KINDS, locate, name_of, resolved, users_patterns
from mnist_sweep.config import ConfigError, typed
from mnist_sweep.text import one_line, shortened

OF_TORCH = "\nException raised from "  # how torch's list of C++ frames begins
# What Hydra's `instantiate` reads in a node; here a node is a target and its settings.
HYDRA_KEYS = ("_args_", "_convert_", "_execution_whitelist_", "_partial_", "_recursive_")


def build(group: str, node: Any, **given: Any) -> Any:
    """Call a node's target with its settings and with the `given` arguments.

    Raises ConfigError in one line, beginning with the group's name, when the target may not be
    named, does not exist, is not what the group is for, takes no such setting, or raises for its
    value. Only the last comes of a call.
    """
    target, settings = check_node(group, node, tuple(given))
    try:
        # A user's class may have nodes among its settings and instantiate them.
        with execution_whitelist(list(users_patterns())):
            return target(**settings, **given)
    except Exception as error:  # what a target raises for a wrong value is its own choice
        said = shortened(str(error).partition(OF_TORCH)[0])
        if isinstance(error, ValueError):
            raise ConfigError(f"{group}: {said}") from error
        kind = type(error).__name__
        raise ConfigError(f"{group} with {shortened(settings)}: {kind}: {said}") from error


def check_node(
    group: str, node: Any, given: tuple[str, ...]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return a node's target and its settings, checked against the target's signature.

    Raises ConfigError as `build` does.
    """
    if not isinstance(node, Mapping | DictConfig) or "_target_" not in node:
        raise ConfigError(f"{group} must be a config with a _target_, but got {shortened(node)}")
    settings = {str(key): node[key] for key in node if key != "_target_"}
    for key in HYDRA_KEYS:
        if key in settings:
            raise ConfigError(f"{group}.{key} has no effect on a {group}: leave it out")
    target = locate(f"{group}._target_", node["_target_"], KINDS[group])
    parameters, takes_any = _parameters(target)
    accepted = [name for name in parameters if name not in given]
    for name in settings:
        if not name.isidentifier() or (name not in accepted and not takes_any):
            raise ConfigError(
                f"{group}.{name}={shortened(settings[name])}: {name_of(target)} takes no such "
                f"setting; it takes {', '.join(accepted) or 'none'}"
            )
    required = [name for name in accepted if parameters[name].default is inspect.Parameter.empty]
    absent = [name for name in required if name not in settings]
    if absent:
        raise ConfigError(f"{group}: {name_of(target)} needs a value for {', '.join(absent)}")
    return target, _typed_settings(group, target, settings)


@lru_cache(maxsize=256)
def _parameters(target: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return a target's named parameters, and whether it takes any other keyword as well."""
    try:
        found = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # of some that are written in C
        return {}, True
    by_name = {p.name: p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return by_name, any(p.kind is p.VAR_KEYWORD for p in found)


def _typed_settings(
    group: str, target: Callable[..., Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Convert settings to the annotated types, or raise ConfigError where one does not fit."""
    annotations = _annotations(target)
    values = {name: resolved(value) for name, value in settings.items()}
    if all(_is_exactly(values[name], annotations.get(name, Any)) for name in values):
        return values  # as it mostly is, and a sweep's gate asks hundreds of times
    schema = _schema(target, tuple(settings))
    try:
        node = OmegaConf.create(settings)
    except OmegaConfBaseException as error:  # half an interpolation
        raise ConfigError(f"{group}: {one_line(error)}") from error
    merged = typed(schema, node, where=group)
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
    except Exception:  # annotations that exist for type checkers only
        return {}
    return {name: _checkable(hint) for name, hint in hints.items()}


def _is_exactly(value: Any, annotation: Any) -> bool:
    """Whether a plain value is of an annotation's type, with nothing left to convert."""
    if annotation in (int, float, str, bool):
        return type(value) is annotation
    if annotation in (Any, types.NoneType):
        return value is None
    if isinstance(annotation, types.UnionType):
        return any(_is_exactly(value, each) for each in typing.get_args(annotation))
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
        simple = [a for a in arguments if a in (int, float, str, bool)]
        if len(simple) != 1:
            return Any
        return simple[0] | None if type(None) in arguments else simple[0]
    if typing.get_origin(annotation) in (list, Sequence) and arguments:
        return list[_checkable(arguments[0])]  # type: ignore[misc]
    return Any
