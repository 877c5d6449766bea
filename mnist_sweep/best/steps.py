"""The steps as commands of their own: each is started as a user would, and waited for."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mnist_sweep.cli.printed_commands import shell
from mnist_sweep.errors import UserError
from mnist_sweep.passwords import without_password

TICK = 5.0  # seconds between two entries of the time that a step has taken


class StepFailed(UserError):
    """A step that ended with an error, which it has printed itself."""


def run(words: Sequence[str], tick: Callable[[], None]) -> None:
    """Run a module of ours with its words, its output shown; call `tick` every few seconds.

    The child is in a session of its own: it gets Ctrl-C once, from here, and is waited for, so that
    it leaves a state that can be resumed. Raises KeyboardInterrupt then, and StepFailed for another
    exit code than 0.
    """
    code, interrupted = _wait(_start(words), tick)
    tick()
    if interrupted:
        raise interrupted
    if code:
        raise StepFailed(
            f"{words[0]} ended with exit code {code}, for the reason above; the same command "
            "resumes"
        )


def read(words: Sequence[str], tick: Callable[[], None]) -> str:
    """Do what `run` does, and return the ASCII text that the module printed instead of showing it.

    Its warnings, and why it fails, are shown: they are in the encoding of the terminal.
    """
    sys.stdout.flush()
    child = subprocess.run(
        [sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True, encoding="ascii"
    )
    tick()
    if child.returncode:
        raise StepFailed(
            f"{words[0]} ended with exit code {child.returncode}, for the reason above"
        )
    return child.stdout


def shown(words: Sequence[str]) -> str:
    """Return the line by which a user starts the same, without the password of a storage."""
    return str(without_password(shell(["python", "-m", *words])))


def _start(words: Sequence[str]) -> "subprocess.Popen[bytes]":
    sys.stdout.flush()
    with _heeded():
        return subprocess.Popen([sys.executable, "-m", *words], start_new_session=True)


@contextmanager
def _heeded() -> Iterator[None]:
    """Have a child heed SIGINT that is started meanwhile.

    Background jobs of a shell ignore it, and so would all that they start: no step would stop.
    A handler, unlike that, is not inherited.
    """
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _wait(
    child: "subprocess.Popen[bytes]", tick: Callable[[], None]
) -> tuple[int, KeyboardInterrupt | None]:
    """Wait for a child; return its exit code, and what interrupted it from here."""
    interrupted = None
    while True:
        try:
            code = child.wait(TICK)
        except subprocess.TimeoutExpired:
            tick()
        except KeyboardInterrupt as stop:  # a second one ends a step at once, as it does by itself
            interrupted = interrupted or stop
            child.send_signal(signal.SIGINT)
        else:
            return code, interrupted
