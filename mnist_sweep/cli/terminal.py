"""What a stream can show: how wide its terminal is, and which characters its encoding has."""

import os
from typing import TextIO

USUAL = 80  # columns, where a terminal does not say how many it has


def columns(stream: TextIO) -> int | None:
    """Return how wide a stream's terminal is now; None where it goes to no terminal."""
    try:
        if not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    except (OSError, ValueError):  # what stands for a stream has no descriptor, or it is closed
        return None


def can_show(stream: TextIO, text: str) -> bool:
    """Whether a stream's encoding has all characters of a text."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
