"""A setting in words: its default, which values it takes, and what it does."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from mnist_sweep.allowed_values import Allowed
from tools.markdown import code

TYPES = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}
NULL = "`null`"
LISTS = (list, tuple, Sequence)
# A comment that begins with what a setting may be: "max | blur (a fixed filter) | stride".
CHOICES = re.compile(r"(\w+)(?: \([^)]*\))?((?: \| \w+(?: \([^)]*\))?)+)(?=$|[;:] )")


@dataclass(frozen=True)
class Setting:
    """A setting in words; `default` is Markdown, "" where there is none."""

    name: str
    default: str
    values: str
    text: str


def values(annotation: Any, allowed: Sequence[Allowed], comment: str = "") -> str:
    """Return in words what a setting takes, "" where that is unknown.

    Its choices are those of `allowed`, else those that its comment begins with.
    """
    names = _names(annotation)
    kinds, null = [n for n in names if n != NULL], [n for n in names if n == NULL]
    choices = [name for each in allowed for name in each.choices]
    if not choices and kinds in ([], [TYPES[str]]):
        choices = _commented(comment)
    if choices:
        return ", ".join([*map(code, choices), *null])
    if not kinds:
        return ""
    words = ", ".join([" or ".join(kinds), *(each.text for each in allowed)])
    return words.replace(", in ", " in ") + (f"{',' if allowed else ''} or {NULL}" if null else "")


def hints(target: Callable[..., Any] | type) -> Mapping[str, Any]:
    """Return the annotations of a dataclass's fields, or of what a `_target_` takes."""
    owner: Any = target
    if inspect.isclass(target) and not is_dataclass(target):
        owner = target.__init__
    try:
        return typing.get_type_hints(owner)
    except NameError:  # a name that is imported for type checkers alone
        return {}


def of_value(value: Any) -> Any:
    """Return the type of a default, where nothing else says it."""
    computed = isinstance(value, str) and "${" in value
    known = type(value) in TYPES or isinstance(value, list)
    return type(value) if known and not computed else Any


def _names(annotation: Any) -> list[str]:
    """Return the types that an annotation has, in words; null is the last of them."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = typing.get_args(annotation)
        parts = tuple(each for each in parts if not (each is int and float in parts))
        found = [name for part in parts for name in _names(part) if name]
        return sorted(dict.fromkeys(found), key=lambda name: name == NULL)
    if annotation is type(None):
        return [NULL]
    if annotation in LISTS or origin in LISTS:
        return [_list(typing.get_args(annotation))]
    return [TYPES[annotation]] if annotation in TYPES else []


def _list(items: Sequence[Any]) -> str:
    inner = _names(items[0])[0] if items and _names(items[0]) else ""
    several = f"lists{inner[len('list') :]}" if inner.startswith("list") else f"{inner}s"
    return f"list of {several}" if inner else "list"


def _commented(comment: str) -> list[str]:
    match = CHOICES.match(comment)
    return [match[1], *re.findall(r"\| (\w+)", match[2])] if match else []
