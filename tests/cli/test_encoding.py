import ast
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

ROOT = Path(__file__).parents[2]
TEXT = "93.84 ± 0.40% of \N{LATIN SMALL LETTER E WITH ACUTE}tude, \N{RIGHTWARDS ARROW}"
PROGRAM = f"""
import sys
from mnist_sweep.cli import encoding
encoding.prepare()
print({TEXT!a})
print(sys.argv[1])
print({TEXT!a}, file=sys.stderr)
"""


def program(code, *words, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        check=True,
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "93.84 +- 0.40% of \\xe9tude, \\u2192"),
        ({"PYTHONIOENCODING": "latin-1"}, "93.84 ± 0.40% of étude, \\u2192"),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            "93.84 +- 0.40% of \\xe9tude, \\u2192",
        ),
        ({"LC_ALL": "POSIX"}, TEXT),  # Python takes UTF-8 then
        ({"PYTHONIOENCODING": "utf-8"}, TEXT),
    ],
)
def test_every_text_is_printed_whatever_the_locale(environment, expected):
    done = program(PROGRAM, b"d\xe9.png", **environment)  # a name that is not UTF-8
    encoding = "latin-1" if "latin-1" in environment.values() else "utf-8"
    first, name = done.stdout.splitlines()
    assert first.decode(encoding) == expected
    assert name == b"d\xe9.png"
    assert done.stderr.decode(encoding) == expected + "\n"


CLOSED = """
import sys
from mnist_sweep.cli import encoding
encoding.prepare()
print("a text")
numbers = [stream.fileno() for stream in (sys.stdin, sys.stdout, sys.stderr)]
sys.exit(0 if numbers == [0, 1, 2] else str(numbers))
"""


def redirected(redirection, *words):
    """Python called with some words by a shell that redirects its streams."""
    call = ["sh", "-c", f'exec "$0" "$@" {redirection}', sys.executable, *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(call, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_discards_what_is_printed_and_no_file_takes_its_number(redirection):
    done = redirected(redirection, "-c", CLOSED)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("" if ">&-" in redirection.split() else "a text\n")


@pytest.mark.parametrize("redirection", [">&-", "2>&-"])
def test_a_command_does_its_work_where_a_stream_is_closed(redirection):
    optuna.create_study(study_name="nightly", storage="sqlite:///studies.db")
    command = ("-m", "mnist_sweep.studies", "storage=sqlite:///studies.db")
    done = redirected(redirection, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("nightly" in done.stdout) == (redirection == "2>&-")


# Calls that take the locale's encoding unless they are given one, and where their mode is given.
OPENING = {"open": 0, "fdopen": 1, "NamedTemporaryFile": 0, "TemporaryFile": 0}
RUNNING = {"run", "Popen", "check_output", "check_call", "call"}
ELSEWHERE = {"Image", "urllib", "webbrowser", "os", "tarfile", "zipfile"}  # have an open of theirs


def unsaid(source):
    """Return the lines of a source that leave a text's encoding to the locale."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and _is_text(node) and not _says(node, "encoding")
    ]


def _says(call, name):
    return next((word.value for word in call.keywords if word.arg == name), None)


def _is_text(call):
    function = call.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    if name in ("read_text", "write_text", "FileHandler", "TextIOWrapper"):
        return True
    if name in RUNNING and (_says(call, "text") or _says(call, "universal_newlines")):
        return True
    owner = getattr(getattr(function, "value", None), "id", None)
    if name not in OPENING or (owner in ELSEWHERE and name == "open"):
        return False
    place = OPENING[name] + (isinstance(function, ast.Name) or owner == "io") * (name == "open")
    given = call.args[place] if len(call.args) > place else _says(call, "mode")
    default = "w+b" if "Temporary" in name else "r"
    return "b" not in (given.value if isinstance(given, ast.Constant) else default)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.read_text()", [1]),
        ("open(path)\nopen(path, 'w')\nopen(path, mode='a')", [1, 2, 3]),
        ("path.open()\nwith path.open('w', newline=''): pass", [1, 2]),
        ("subprocess.run(words, text=True)\nos.fdopen(1, 'w')", [1, 2]),
        ("logging.FileHandler(path)\nNamedTemporaryFile('w')", [1, 2]),
        ("open(path, 'rb')\npath.open('ab')\npath.read_bytes()\nImage.open(path)", []),
        ("path.write_text(text, encoding='utf-8')\nsubprocess.run(words)", []),
    ],
)
def test_a_text_without_its_encoding_is_noticed(source, found):
    assert unsaid(source) == found


def test_every_text_file_of_the_package_says_that_it_is_utf_8():
    sources = sorted((ROOT / "mnist_sweep").rglob("*.py"))
    assert len(sources) > 80
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if (lines := unsaid(path.read_text(encoding="utf-8")))
    }
    assert found == {}
