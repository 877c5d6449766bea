"""What files and studies hold that somebody else may have written, checked as it is read.

Everything here raises ValueError in words that follow "... is damaged: ".
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.text import one_line, shortened

# A run's config is 3 kB; whoever writes that much more wants something else than to record a run.
MOST_CONFIG = 1_000_000  # characters, with all references to other settings written out
MOST_TEXT = 200_000_000  # bytes of any file: more is no record, and may not fit into memory


class Check:
    """A kind of value: `what` it must be, and whether one is."""

    def __init__(self, what: str, holds: Callable[[Any], bool]) -> None:
        self.what, self.holds = what, holds


Kinds = Mapping[str, "Check | Kinds"]


def is_number(value: Any) -> bool:
    """Whether a value is a finite number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number from 0 on that a machine's integers can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def is_line(value: Any) -> bool:
    """Whether a value is text for a terminal: a line, without what would move its cursor."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= 200


TEXT = Check("a text", lambda value: isinstance(value, str))
TEXTS = Check(
    "a list of texts",
    lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
)
LINE = Check("a line of printable text", is_line)
NUMBER = Check("a finite number", is_number)
WHOLE = Check("a whole number, not negative", is_whole)
COUNTED = Check("a whole number of at least 1", lambda value: is_whole(value) and value > 0)
TRUTH = Check("true or false", lambda value: isinstance(value, bool))
MAPPING = Check("a mapping", lambda value: isinstance(value, dict))
SIZES = Check(
    "a mapping to whole numbers",
    lambda value: isinstance(value, dict) and all(map(is_whole, value.values())),
)


def check_kinds(found: Mapping[str, Any], kinds: Kinds, required: Sequence[str] = ()) -> None:
    """Check what a mapping has under some names; None is allowed where a name is not required."""
    absent = [name for name in required if found.get(name) is None]
    if absent:
        raise ValueError(f"it has no {', '.join(absent)}")
    _check(found, kinds, "")


def _check(found: Mapping[str, Any], kinds: Kinds, prefix: str) -> None:
    for name, kind in kinds.items():
        value = found.get(name)
        if value is None:
            continue
        check = kind if isinstance(kind, Check) else MAPPING
        if not check.holds(value):
            raise ValueError(
                f"{prefix}{name} must be {check.what}, but is {shortened(repr(value))}"
            )
        if not isinstance(kind, Check):
            _check(value, kind, f"{prefix}{name}.")


def check_regular(path: Path) -> None:
    """Refuse what is there and no file: reading a pipe waits until somebody writes to it."""
    if path.exists() and not path.is_file():
        raise ValueError("it is a folder" if path.is_dir() else "it is not a regular file")


def text_of(path: Path, most: int = MOST_TEXT) -> str:
    """Return what a file in UTF-8 holds, of `most` bytes. Raises OSError too."""
    check_regular(path)
    if path.stat().st_size > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return path.read_text(encoding="utf-8")


def parse_json(text: str) -> dict[str, Any]:
    """Return a JSON text's mapping."""
    try:
        parsed = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:  # of its grammar, or of a number of 5,000 digits
        raise ValueError(f"{type(error).__name__}: {one_line(error)}") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"it holds {shortened(repr(parsed))}, not settings")
    return parsed


def parse_config(path: Path) -> DictConfig:
    """Return a YAML file's settings, with references to others as they are written.

    Refuses what is small and becomes huge when it is read: aliases, which Hydra does not write, and
    references to references. Raises OSError too.
    """
    text = text_of(path, 4 * MOST_CONFIG)
    if len(text) > MOST_CONFIG:
        raise ValueError(f"it has {len(text):,} characters: too many for a config")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ValueError("it has YAML aliases, which Hydra does not write")
        config = OmegaConf.create(text)
        if not isinstance(config, DictConfig) or not config:
            raise ValueError("it holds no settings")
        size = _Expanded(OmegaConf.to_container(config, resolve=False)).size("")
    except ValueError:
        raise
    except Exception as error:  # YAML's and OmegaConf's kinds, and RecursionError
        raise ValueError(f"{type(error).__name__}: {one_line(error)}") from error
    if size > MOST_CONFIG:
        raise ValueError(f"with its references resolved it has {size:,} characters: too many")
    return config


class _Expanded:
    """How long a config's values are with their references written out, which it never does."""

    REFERENCE = re.compile(r"\$\{\s*(?:[\w.]+:)?\s*(\.*)([\w.\[\]-]*)")

    def __init__(self, config: Any) -> None:
        self.config, self.known = config, dict[str, int]()

    def size(self, path: str) -> int:
        if path not in self.known:
            self.known[path] = 0  # of one that refers to itself, which OmegaConf refuses
            self.known[path] = self._size(self._at(path), path)
        return self.known[path]

    def _size(self, value: Any, path: str) -> int:
        prefix = f"{path}." if path else ""
        if isinstance(value, dict):
            return sum(len(str(key)) + self.size(f"{prefix}{key}") for key in value)
        if isinstance(value, list):
            return sum(self._size(item, f"{prefix}{n}") for n, item in enumerate(value))
        text = str(value)
        names = (self._named(dots, name, path) for dots, name in self.REFERENCE.findall(text))
        return len(text) + sum(self.size(name) for name in names if name)

    @staticmethod
    def _named(dots: str, name: str, path: str) -> str:
        """Return the full key of a reference; one dot is beside the setting that has it."""
        name = re.sub(r"\[(\w+)\]", r".\1", name).strip(".")
        above = path.split(".")[: -len(dots)] if dots else []
        return ".".join([*above, name] if name else above)

    def _at(self, path: str) -> Any:
        value = self.config
        for key in path.split(".") if path else []:
            if isinstance(value, dict):
                value = next((v for k, v in value.items() if str(k) == key), None)
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return value
