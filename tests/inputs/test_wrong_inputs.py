"""Every wrong input is refused in one line with exit code 1, and nothing is lost by it."""

import re
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

import mnist_sweep
from tests.inputs import (
    bundles,
    command_lines,
    data_sets,
    images,
    overrides,
    records,
    runs,
    searches,
    settings,
    storages,
    studies,
)
from tests.inputs.case import MOST, contents
from tests.inputs.commands import COMMANDS, call
from tests.sampled import sampled

TABLES = (
    settings,
    overrides,
    searches,
    command_lines,
    storages,
    studies,
    runs,
    records,
    bundles,
    images,
    data_sets,
)
CASES = [case for table in TABLES for case in table.CASES]
STARTS = '\nif __name__ == "__main__":\n'
# What a sweep may leave that had to open its study to see what is wrong.
LEFT = re.compile(
    r"multirun(/s|/usual|/two|/others)?|(multirun/optuna|\w+)\.db(-shm|-wal|\.sweeps\.lock)?"
)
SECONDS = 60  # of one input, on a machine that is busy with others


class Started(Exception):
    """What a server, or another program in this one's place, would have been."""


@pytest.fixture(autouse=True)
def _starts_nothing(monkeypatch):
    def start(*arguments, **settings):
        raise Started

    monkeypatch.setattr("os.execv", start)
    monkeypatch.setattr("os.execve", start)
    monkeypatch.setattr("optuna_dashboard.run_server", start)
    monkeypatch.setattr("mnist_sweep.report.live.server.Forever", start)


@contextmanager
def no_longer_than(seconds):
    """Raise TimeoutError in a block that hangs."""

    def ring(number, frame):
        raise TimeoutError(f"it hangs: {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_there_are_as_many_as_promised_and_some_of_every_command():
    assert len(CASES) >= 150
    assert {case.words[0] for case in CASES} == COMMANDS == _programs()


def _programs():
    """What can be started by `python -m mnist_sweep.`."""
    package = Path(mnist_sweep.__file__).parent
    sources = (path for path in package.rglob("*.py") if STARTS in path.read_text("utf-8"))
    return {path.parent.name if path.stem == "__main__" else path.stem for path in sources}


def _parameters():
    for table in TABLES:
        name = table.__name__.rpartition(".")[2]
        yield from sampled(table.CASES, lambda case, name=name: f"{name}: {case.name}")


@pytest.mark.parametrize("case", list(_parameters()))
def test_a_wrong_input_is_one_line(case, beside, capfd, monkeypatch, record_property):
    monkeypatch.setattr("sys.argv", [])
    beside(case.given)
    if case.spoil:
        case.spoil()
    before = contents()
    record_property("input", "crashed")
    with no_longer_than(SECONDS):
        code = call(case.words)
    printed = capfd.readouterr()
    record_property("input", "passed" if code == 0 else "unclear")
    assert code == 1
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert printed.err.endswith("\n")
    assert printed.err[:-1].isprintable()
    assert len(printed.err) <= MOST
    assert "Traceback" not in printed.out
    assert case.says in printed.err
    after = contents()
    assert {path: after.get(path) for path in before} == before, "something was lost"
    assert all(LEFT.fullmatch(path) for path in after.keys() - before.keys()), "something is left"
    record_property("input", "refused in one line")
