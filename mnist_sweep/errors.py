"""What a user can cause, and what the command line says about it."""

import errno
import os

SHOWN = 60  # letters of either end of a path that is too long to be read


class UserError(Exception):
    """An error a user can cause: one line that echoes the value and says what to do.

    `mnist_sweep.train.main` prints it without a traceback and exits with code 1.
    """


REMEDY = {
    errno.EACCES: "choose another place, or change who may write there",
    errno.EDQUOT: "make room, or choose another place",
    errno.EEXIST: "a file is where a directory should be: move it away, or choose another place",
    errno.EFBIG: "make room, or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: "make room, or choose another place",
    errno.ENOTDIR: "a file is where a directory should be: move it away, or choose another place",
    errno.EPERM: "choose another place, or change who may write there",
    errno.EROFS: "choose another place",
}


def explain(error: OSError, place: str | None = None) -> str:
    """Return what the system refused as one line: where, what, and what to do.

    `place` is said where the error names no file of its own, as one of a full disk does not.
    """
    named = error.filename if error.filename is not None else place
    where = "" if named is None else f"{shown(str(named))}: "
    what = error.strerror or " ".join(str(error).split()) or type(error).__name__
    remedy = REMEDY.get(error.errno or 0)
    return f"{where}{what}" + (f"; {remedy}" if remedy else "")


def shown(text: str) -> str:
    """Return a text as one line can hold it: without line breaks, its middle left out if long."""
    line = " ".join(text.split())
    return line if len(line) <= 2 * SHOWN else f"{line[:SHOWN]}...{line[-SHOWN:]}"


def full_errors() -> bool:
    """Whether tracebacks are asked for, as Hydra asks for them."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1"
