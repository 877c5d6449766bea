import errno
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError, parse, paths
from mnist_sweep.errors import UserError


@dataclass
class Options:
    run: str
    count: int = 3
    to: str | None = None


def test_words_become_typed_values_and_defaults_stand():
    assert parse(Options, ["run=a=b", "count=7"]) == Options("a=b", 7, None)
    assert parse(Options, ["run=2026-11-20/17-25-21", "to=x"]).run == "2026-11-20/17-25-21"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png"], "'a.png' is not of the form key=value; known are run=, count=, to="),
        (["runs=a"], "runs=a: there is no runs; known are run=, count=, to="),
        (["run=a", "run=b"], "run=b: run=a is given already"),
        ([], "run= must be given; known are run=, count=, to="),
        (["run="], "run= must be given"),
        (["run=a", "count=many"], "count: Value 'many' of type 'str' could not be converted"),
    ],
)
def test_a_wrong_word_is_one_line_that_echoes_it(words, message):
    with pytest.raises(UserError) as raised:
        parse(Options, words)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def run(monkeypatch, entry, *words):
    monkeypatch.setattr(sys, "argv", ["program", *words])
    arguments.run(Options, "  what it does\n", entry)


def test_an_entry_is_called_with_what_was_parsed(monkeypatch):
    seen = []
    run(monkeypatch, seen.append, "run=x")
    assert seen == [Options("x")]


def test_help_prints_the_usage_and_calls_nothing(monkeypatch, capsys):
    run(monkeypatch, pytest.fail, "run=x", "--help")
    assert capsys.readouterr().out == "what it does\n"


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (ArgumentError("run=x is wrong"), 1, "error: run=x is wrong\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_user_can_cause_is_one_line_and_an_exit_code(
    monkeypatch, capsys, raised, code, line
):
    def entry(options):
        raise raised

    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, entry, "run=x")
    assert stop.value.code == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_interrupts_the_work_and_is_the_exit_code(monkeypatch, number, code):
    settled = []

    def entry(options):
        try:
            os.kill(os.getpid(), number)
        finally:
            settled.append(True)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, entry, "run=x")
    assert (stop.value.code, settled) == (code, [True])
    assert signal.getsignal(signal.SIGTERM) == before


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "here/a.txt")


@pytest.mark.parametrize(
    ("fail", "line"),
    [
        (lambda: Path("none.txt").read_text(encoding="utf-8"), "none.txt: No such file or dir"),
        (lambda: Path("file/a").mkdir(), "file/a: Not a directory (a part of that path is a file"),
        (lambda: Path("x" * 300).touch(), "File name too long (choose a shorter name)"),
        (lambda: Path().read_bytes(), ".: Is a directory (that is a folder: name a file)"),
        (full, "here/a.txt: No space left on device (make room there, or choose another place)"),
        (lambda: os.read(99_999, 1), "error: Bad file descriptor"),
    ],
)
def test_every_error_of_the_system_is_one_line_with_its_path(
    monkeypatch, tmp_path, capsys, fail, line
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, lambda options: fail(), "run=x")
    said = capsys.readouterr().err
    assert stop.value.code == 1
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert line in said


PRINTING = """
import sys
from dataclasses import dataclass
from mnist_sweep.cli import arguments
from mnist_sweep.errors import UserError

@dataclass
class Options:
    lines: int = 3
    fails: bool = False

def entry(asked):
    for number in range(asked.lines):
        print(number, "a line", flush=asked.lines > 3)  # else at the end, as into any pipe
    if asked.fails:
        raise UserError("no")

arguments.run(Options, "usage", entry)
"""


BUFFERED = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": ""}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["lines=100000"], 141, ""), (["lines=3"], 141, ""), (["fails=true"], 1, "error: no\n")],
)
def test_a_reader_that_leaves_ends_it_in_silence(words, code, said):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", PRINTING, *words],
        env=BUFFERED,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_under_the_output_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINTING],
            env=BUFFERED,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No space left on device (make room there")
    assert done.stderr.count("\n") == 1


def test_a_dollar_is_no_interpolation_and_a_tilde_is_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    assert parse(Options, ["run=${oc.env:HOME}/a", "to=~/b"]) == Options(
        "${oc.env:HOME}/a", 3, "/home/me/b"
    )
    Path("~").mkdir()
    assert parse(Options, ["run=~/b"]).run == "/home/me/b"
    Path("~", "b").mkdir()
    assert parse(Options, ["run=~/b"]).run == "~/b"
    assert parse(Options, ["run=~nobody-of-that-name/b"]).run == "~nobody-of-that-name/b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png,b.png", ["a.png", "b.png"]),
        (" a.png , b.png ,", ["a.png", "b.png"]),
        ("[a.png, b.png]", ["a.png", "b.png"]),
        ("", []),
        (" , ", []),
        ("seven, two.png", ["seven, two.png"]),
        ("a.png,seven, two.png,b.png", ["a.png", "seven, two.png", "b.png"]),
        ("[a.png, seven, two.png]", ["a.png", "seven, two.png"]),
        ("x,y", ["x,y"]),
        ("'x','y'", ["x", "y"]),
        ("['x', \"y\"]", ["x", "y"]),
        ("'seven, two.png',a.png", ["seven, two.png", "a.png"]),
        ("'none, there.png',a.png", ["none, there.png", "a.png"]),
        ("none, there.png", ["none", "there.png"]),
        ("[odd]", ["[odd]"]),
        ("it's,a=b c.png,ä.png", ["it's", "a=b c.png", "ä.png"]),
        ("~/a,~/b c", ["/home/me/a", "/home/me/b c"]),
        ("a,,b.png", ["a,,b.png"]),
        ("nul\0,a.png", ["nul\0", "a.png"]),
    ],
)
def test_paths_are_separated_by_commas_and_may_have_some(monkeypatch, tmp_path, text, expected):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "seven, two.png", "x", "y", "x,y", "[odd]", "it's", "a,,b.png"):
        Path(name).touch()
    assert paths(text) == expected
