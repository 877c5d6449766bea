"""The settings of the commands, from their texts of --help."""

import textwrap
from pathlib import Path

import pytest

import mnist_sweep
from tools.command_help import COMMANDS, REQUIRED, described, settings, summary

PACKAGE = Path(mnist_sweep.__file__).parent


def test_every_command_is_there():
    found = {
        path.parent.name if path.stem == "__main__" else path.stem
        for path in PACKAGE.rglob("*.py")
        if any(
            call in path.read_text("utf-8") for call in ("arguments.run(", "arguments.run_words(")
        )
    }
    assert found == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_setting_of_a_command_is_explained_in_its_help(name):
    assert [each.name for each in settings(name) if not each.text] == []
    assert summary(name).endswith(".")


def test_defaults_are_in_a_column_and_no_text_repeats_them():
    found = {each.name: each for each in settings("confirm")}
    assert (found["seeds"].default, found["study"].default) == ("`5`", "")
    assert found["seeds"].text.startswith("how many fresh seeds each is trained with. Below 4")
    assert found["storage"].text == "where it is"
    assert {each.name: each.default for each in settings("export")}["run"] == REQUIRED


def test_a_text_may_have_several_lines_and_several_settings():
    usage = """\
    Title.

    python -m x host=a    an example

      host=h port=1   where it is
    seeds  how many,
           and more of it
    other  is no setting
    """
    found = described(textwrap.dedent(usage), ["host", "port", "seeds"])
    assert found == {
        "host": "where it is",
        "port": "where it is",
        "seeds": "how many, and more of it",
    }
