"""What a configuration is once it is resolved: proposals that come to the same run are found."""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CONFIGURATION = "mnist_sweep:configuration"  # a trial's system attribute: `digest_of` its config

# What tells a job which trial it is.
OF_A_TRIAL = ("study", "trial", "lease")


def digest_of(config: DictConfig, ignored: Collection[str] = ()) -> str | None:
    """Return 16 hexadecimal digits of a config without Hydra's part, interpolations resolved.

    Two configs have the same digits if they differ in nothing but what is `ignored`, by dotted
    names, and in which trial they are of. None for a config that cannot be resolved.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException:
        return None
    for name in (*OF_A_TRIAL, *ignored):
        _drop(plain, name)
    # `repr` for what JSON cannot say, such as an enumeration's member.
    text = json.dumps(_with_text_keys(plain), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_text_keys(plain: Any) -> Any:
    """Return plain data whose keys can be sorted: a config may have 1 and "a" side by side."""
    if isinstance(plain, dict):
        return {str(key): _with_text_keys(value) for key, value in plain.items()}
    return [_with_text_keys(each) for each in plain] if isinstance(plain, list) else plain


def _drop(plain: Any, name: str) -> None:
    """Delete a setting, or all below it, from a config as plain data."""
    *above, last = name.split(".")
    for part in above:
        plain = plain.get(part) if isinstance(plain, dict) else None
    if isinstance(plain, dict):
        plain.pop(last, None)
