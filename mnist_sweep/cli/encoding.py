"""What is printed, on terminals and in pipes of any encoding."""

import codecs
import os
import stat
import sys
from contextlib import suppress
from typing import NoReturn

from mnist_sweep.text import printable

# How characters of ours are written where the output has none of them.
PLAIN = {"±": "+-"}
MOST = 1000  # letters of an error: a dozen lines of a terminal


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what stands for characters that an encoding lacks; bytes of file names as they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    if all("\udc80" <= character <= "\udcff" for character in text):
        return text.encode("ascii", "surrogateescape"), error.end
    known = "".join(PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in text)
    return known, error.end


codecs.register_error("mnist_sweep.plain", _plain)


def prepare(log: bool = False) -> None:
    """Make standard output and error take every text, whatever the locale, also where it is closed.

    `log`: where they go to a file, it is one of ours, and in UTF-8 as all of them are.
    """
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # what stands for one in tests has none
        if reconfigure is not None:
            reconfigure(errors="mnist_sweep.plain")
            if log and stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                reconfigure(encoding="utf-8", errors="mnist_sweep.plain")


def _open_closed() -> None:
    """Put the null device where a standard stream is closed (`>&-`): Python has None there.

    The next file to be opened would have the stream's number, which libraries and child processes
    write to.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest number, which is its own
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


def error_line(message: object) -> str:
    """Return what a terminal is told of an error: one line, whatever names and values it repeats.

    Of a very long one the middle is left out: what it is about and what to do are at the ends.
    """
    line = printable(str(message))
    return (
        f"error: {line if len(line) <= MOST else f'{line[: MOST // 2]} ... {line[-MOST // 2 :]}'}"
    )


def fail(message: str) -> NoReturn:
    """Say in one line what a user can mend, and end with exit code 1."""
    settle()
    print(error_line(message), file=sys.stderr)
    sys.exit(1)


def settle() -> None:
    """Write what is left of the output; discard it where nobody takes it, in silence."""
    try:
        print(end="", flush=True)
    except OSError:
        discard()


def discard() -> None:
    """Write no more to a standard output that nobody takes: Python would fail at it in the end."""
    with suppress(OSError):  # what stands for one in tests has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
