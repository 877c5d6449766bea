"""What the streams of a log can show: how wide their terminals are, which characters they have."""

import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from mnist_sweep.cli import encoding

USUAL = 80  # columns, where a terminal does not say how many it has


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """A log's lines on standard output, whose reader may leave, as `head` does.

    That is said once, on standard error, and the work continues: hours of it may be done.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, logging's name
        """Discard what is printed from now on where nobody takes it; else as logging does."""
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handleError(record)
            return
        encoding.discard()
        print(
            "nobody reads standard output any more: the work continues without it; Ctrl-C ends it",
            file=sys.stderr,
        )


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
        has(handler.stream, text)
        for handler in handlers(log)
        if isinstance(handler, logging.StreamHandler)
    )


def has(stream: TextIO | None, text: str) -> bool:
    """Whether a stream's encoding has the characters of a text."""
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
