"""The command on studies: what it prints, and what it refuses in one line."""

import json

import pytest

from tests.inputs.commands import call
from tests.studies.conftest import SQLITE, names, swept


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that gives the command; it returns its exit code and what it says."""

    def run(*words):
        monkeypatch.setattr("sys.argv", [])
        code = call(["studies", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_list_is_a_table_and_with_json_it_is_data(command):
    swept("first")
    code, said, _ = command()
    assert code == 0
    assert said.splitlines()[0] == f"1 study in {SQLITE}"
    assert said.splitlines()[2].split()[:5] == ["first", "2/2", "finished", "91.0%", "15,000"]
    code, said, _ = command("json=true")
    found = json.loads(said)
    assert (code, found["storage"], found["studies"][0]["name"]) == (0, SQLITE, "first")


def test_a_study_is_exported_renamed_and_deleted(command):
    swept("first")
    assert command("export=first", "to=first.zip")[0] == 0
    assert command("rename=first", "to=second")[:2] == (
        0,
        "study first is second now, and its folder multirun/second\n",
    )
    code, said, error = command("delete=second")
    assert code == 1
    assert "its folder multirun/second" in said
    assert error.startswith("error: nothing is removed yet")
    assert names() == ["second"]
    assert command("delete=second", "yes=true")[0] == 0
    assert command()[:2] == (0, f"0 studies in {SQLITE}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["delete=a", "rename=b"], "delete=a and rename=b: give one of them"),
        (["delete=a", "json=true"], "json=true is of the list"),
        (["yes=true"], "yes=true has an effect with delete= only, not with the list"),
        (["rename=a"], "rename=a needs to=, its new name"),
        (["export=a"], "export=a needs to=, a file.zip"),
        (["to=b"], "to=b has an effect with rename= and export= only, not with the list"),
        (["delete=a", "to=b"], "to=b has an effect with rename= and export= only"),
        (["storage=sqlite:///no.db"], "there is no file no.db"),
        (["storage=sqlite:///no.db", "delete=a"], "there is no file no.db"),
        (["storage=nonsense"], "storage=nonsense cannot be read"),
        (["nmae=a"], "there is no nmae; known are storage="),
    ],
)
def test_what_cannot_be_is_one_line(command, words, said):
    code, out, error = command(*words)
    assert (code, out) == (1, "")
    assert error.count("\n") == 1
    assert said in error
