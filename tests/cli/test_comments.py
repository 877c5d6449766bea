"""Comments of config files, as help shows them."""

import pytest

from mnist_sweep.cli.comments import Comments, read_comments

CONFIG = """\
# @package _global_
# What the file is,
# in two lines.
defaults:
  - base
  - _self_
  - /other: x
  - override /model: y

plain: 1              # behind a number
text: 'a # b'         # behind a text with a sign of its own
flow: {a: 1, b: [2]}  # behind a mapping in a line
list:                 # behind a key
  - 1                 # of an element, which is no setting
  - 2
group:                # of all in it
  # above it,
  # in two lines
  inner: null
  none: 3
last: 4 # no newline"""


def test_a_settings_comment_is_behind_it_or_above_it():
    assert read_comments(CONFIG).settings == {
        "plain": "behind a number",
        "text": "behind a text with a sign of its own",
        "flow": "behind a mapping in a line",
        "list": "behind a key",
        "group": "of all in it",
        "group.inner": "above it, in two lines",
        "last": "no newline",
    }


def test_a_file_says_what_it_is_what_it_extends_and_where_it_goes():
    found = read_comments(CONFIG)
    assert found.header == "What the file is, in two lines."
    assert (found.bases, found.package) == (("base",), "_global_")


def test_a_files_header_is_not_its_first_settings():
    assert read_comments("# of the file\na: 1\n") == Comments("of the file")


@pytest.mark.parametrize("text", ["", "# only this\n", "a: [", "- 1\n", "3"])
def test_what_is_no_mapping_has_no_settings(text):
    assert read_comments(text).settings == {}
