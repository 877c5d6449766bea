import sys
from dataclasses import dataclass

import pytest

from mnist_sweep import arguments
from mnist_sweep.arguments import ArgumentError, parse
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
