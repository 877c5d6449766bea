"""What a user can cause, and what the command line says about it."""

import errno
import os

from mnist_sweep.text import one_line

SHOWN = 60  # letters of either end of a path that is too long to be read


class UserError(Exception):
    """An error a user can cause: one line that echoes the value and says what to do.

    Every command prints it without a traceback and exits with code 1.
    """


class MachineError(UserError):
    """A machine's refusal of what every run needs, such as room on its disk.

    No fault of the run's: a sweep stops by it, and the trial is resumed once that is mended.
    """


class LeaseLost(UserError):
    """The loss of a trial to another process: this one writes nothing more about it."""


REMEDY = {
    errno.EACCES: "change its permissions, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EEXIST: "a file is where a folder should be: choose another name",
    errno.EFBIG: "make room there, or choose another place",
    errno.EIO: "check that disk, or choose another place",
    errno.EISDIR: "that is a folder: name a file",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENFILE: "end what holds files open, or raise the system's limit (fs.file-max)",
    errno.ENOENT: "check the path, and that its folders exist",
    errno.ENOMEM: "end what uses memory, or raise the limit of it (ulimit -v)",
    errno.ENOSPC: "make room there, or choose another place",
    errno.ENOTDIR: "a part of that path is a file, not a folder: choose another",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EROFS: "choose a place that can be written to",
    errno.ESTALE: "mount that folder again",
}

# What a machine refuses whoever asks. A missing file or permission may be one run's mistake.
OF_THE_MACHINE = frozenset(
    (
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOSPC,
        errno.EROFS,
        errno.ESTALE,  # a network file system's, whose server has restarted
    )
)


def is_the_machines(error: BaseException | None) -> bool:
    """Whether an error is a refusal of the machine's, or was caused by one."""
    while error is not None:
        if isinstance(error, MachineError):
            return True
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            return True
        error = error.__cause__
    return False


def reason(error: OSError) -> str:
    """Return what an operation of the system failed by, and what can be done about it."""
    said = error.strerror or one_line(error) or type(error).__name__
    remedy = REMEDY.get(error.errno or 0)
    return f"{said} ({remedy})" if remedy else said


def explain(error: OSError, place: str | None = None) -> str:
    """Return what the system refused as one line: where, what, and what to do.

    `place` is said where the error names no file of its own, as one of a full disk does not.
    """
    named = error.filename if error.filename is not None else place
    where = "" if named is None else f"{shown(str(named))}: "
    return f"{where}{reason(error)}"


def shown(text: str) -> str:
    """Return a text as one line can hold it: without line breaks, its middle left out if long."""
    line = one_line(text)
    return line if len(line) <= 2 * SHOWN else f"{line[:SHOWN]}...{line[-SHOWN:]}"


def full_errors() -> bool:
    """Whether tracebacks are asked for, as Hydra asks for them."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1"
