"""Values in Hydra's override grammar: how they are written, read, and compared.

Optuna keeps numbers and booleans as they are, and a choice of any other kind (text, null, a list, a
mapping) as the text that an override writes it with: 'adam', 'null', '[8,16]', and "'1'" for the
text 1.
"""

import math
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Override | None:
    try:
        override = OverridesParser.create().parse_override(f"x={text}")
    except HydraException:
        return None
    return None if override.is_sweep_override() else override


def is_readable(text: str) -> bool:
    """Whether a text is one value of the override grammar, and no sweep."""
    return _parsed(text) is not None


def read(text: str) -> Any:
    """Return the value that an override writes as this text; the text itself where that is none."""
    override = _parsed(text)
    return text if override is None else override.value()


def written(value: Any) -> str:
    """Return the text that an override writes a value with, quoted where it must be.

    Raises ValueError for a value that the grammar cannot say.
    """
    text = _written(value)
    if not same(read(text), value):
        raise ValueError(f"{value!r} cannot be written in Hydra's override grammar")
    return text


def quoted(text: str) -> str:
    """Return a text as a quoted string of Hydra's override grammar."""
    return QuotedString(text, Quote.single).with_quotes()


def _written(value: Any) -> str:
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = _parsed(value)
        if plain is not None and plain.value() == value:
            return value
        return quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_inner(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_inner(k)}:{_inner(v)}' for k, v in value.items())}}}"
    return str(value)


def _inner(value: Any) -> str:
    """Return a value as it is written inside a list or a mapping, where '' must be quoted."""
    return _written(value) or "''"


def override_value(choice: Any) -> str:
    """Return a parameter's value, as Optuna has it, as an override writes it.

    A text that is no value as it stands, as a custom search space may suggest it, is quoted.
    """
    if isinstance(choice, str) and is_readable(choice):
        return choice
    return _written(choice)


def value_of(choice: Any) -> Any:
    """Return what a parameter's value, as Optuna has it, is in a config."""
    return read(choice) if isinstance(choice, str) else choice


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same setting: 0 and 0.0 are, true and 1 or '1' and 1 are not."""
    if OmegaConf.is_config(one):
        one = OmegaConf.to_container(one)
    if OmegaConf.is_config(other):
        other = OmegaConf.to_container(other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)
