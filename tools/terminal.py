"""A program in a terminal: what is on its screen while it runs, as text."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

QUIET = 0.1  # seconds without output, after which what is drawn is drawn whole
# Control sequences (ECMA-48), and the beginning of one that is cut off.
TOKEN = re.compile(r"\x1b\[(?P<number>\d*)[\d;?]*(?P<final>[@-~])|(?P<plain>[^\x1b])")
CUT_OFF = re.compile(r"\x1b(\[[\d;?]*)?$")


class Screen:
    """A terminal of some columns that never scrolls, with what the project's programs use.

    That is line ends, moves upwards and erasures. Colours are dropped: the programs have none.
    """

    def __init__(self, columns: int) -> None:
        self.columns, self.row, self.column = columns, 0, 0
        self.rows: list[list[str]] = [[]]
        self.rest = ""

    def feed(self, text: str) -> None:
        """Take some output."""
        text = self.rest + text
        cut = CUT_OFF.search(text)
        self.rest = cut[0] if cut else ""
        for token in TOKEN.finditer(text.removesuffix(self.rest)):
            if token["plain"]:
                self._put(token["plain"])
            elif token["final"] == "A":
                self.row = max(0, self.row - int(token["number"] or 1))
            elif token["final"] == "K":
                start = 0 if token["number"] == "2" else self.column
                del self.rows[self.row][start:]

    def text(self) -> str:
        """Return what is shown."""
        return "\n".join("".join(row).rstrip() for row in self.rows).rstrip("\n")

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._down()
        elif character.isprintable():
            if self.column == self.columns:
                self._down()
                self.column = 0
            row = self.rows[self.row]
            row += " " * (self.column + 1 - len(row))
            row[self.column] = character
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])


def watch(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    columns: int,
    seen: Callable[[str], None],
) -> int:
    """Run a command in a terminal; pass on what its screen shows whenever it is drawn whole.

    Returns the exit code.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    screen, decoder = Screen(columns), codecs.getincrementaldecoder("utf-8")("replace")
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            while chunk := _read(ours):
                screen.feed(decoder.decode(chunk))
                if not select.select([ours], [], [], QUIET)[0]:
                    seen(screen.text())
        except BaseException:
            process.terminate()
            raise
        finally:
            os.close(ours)
    seen(screen.text())
    return process.returncode


def _read(terminal: int) -> bytes:
    """Return some output, nothing where the last process that could write has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's way to say so
        return b""
