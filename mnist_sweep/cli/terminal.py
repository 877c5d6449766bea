"""What the streams of a log can show: how wide their terminals are, which characters they have."""

import logging
import os
from collections.abc import Iterator
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


def columns_of(log: logging.Logger) -> int | None:
    """Return how many columns a line of a log may have; None where it goes to no terminal.

    That is what the narrowest terminal has beside what the log's format puts before a line.
    """
    empty = log.makeRecord(log.name, logging.INFO, __file__, 0, "", (), None)
    widths = (
        width - len(handler.format(empty))
        for handler in handlers(log)
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)  # it may not be open yet
        and (width := columns(handler.stream)) is not None
    )
    return min(widths, default=None)


def can_show(log: logging.Logger, text: str) -> bool:
    """Whether the encodings of all that a log goes to have the characters of a text."""
    return all(
        _has(handler.stream, text)
        for handler in handlers(log)
        if isinstance(handler, logging.StreamHandler)
    )


def _has(stream: TextIO | None, text: str) -> bool:
    encoding = getattr(stream, "encoding", None)
    if encoding is None:  # of what takes text as it is, or of a file that is not open yet
        return True
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def handlers(log: logging.Logger) -> Iterator[logging.Handler]:
    """Yield all that a line of a log goes to."""
    logger: logging.Logger | None = log
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None
