"""What our pages have in common: templates that escape, scripts by their hash, data within."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

# Within a script element: neither its end, nor a comment's beginning, nor U+2028 and U+2029, which
# ended a line in older JavaScript.
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def templates(*folders: Path) -> Environment:
    """Return the templates of some folders; whatever they are given is escaped, and must be."""
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def source_of(text: str) -> str:
    """Return how a content security policy names a script or a style: by its hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_json(value: Any) -> str:
    """Return a value as JSON that a script element can hold.

    Raises ValueError for a number that is not finite.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.translate(UNSAFE)
