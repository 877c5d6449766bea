"""A setting in words."""

from collections.abc import Sequence
from typing import Any

import pytest

from mnist_sweep.allowed_values import FINITE, SHARE, at_least, one_of
from tools.setting import of_value, values


@pytest.mark.parametrize(
    ("annotation", "allowed", "comment", "words"),
    [
        (int, (at_least(1),), "", "whole number, at least 1"),
        (float | None, (SHARE,), "", "number in (0, 1], or `null`"),
        (float, (FINITE,), "", "number, finite"),
        (int | float, (), "", "number"),
        (bool | None, (), "", "`true`, `false` or `null`"),
        (str | None, (), "", "text or `null`"),
        (str, (one_of(("a", "b")),), "", "`a`, `b`"),
        (str, (), "max | blur (a filter) | stride", "`max`, `blur`, `stride`"),
        (str, (), "none | all: adds the input", "`none`, `all`"),
        (str, (), "auto | mnist, or another set's name", "text"),
        (str, (), "null | sqlite:///file", "text"),
        (Sequence[float], (), "", "list of numbers"),
        (list[list[int]], (), "", "list of lists of whole numbers"),
        (Any, (), "", ""),
    ],
)
def test_what_a_setting_takes_is_said_in_words(annotation, allowed, comment, words):
    assert values(annotation, allowed, comment) == words


def test_a_computed_default_says_nothing_of_the_type():
    assert of_value("${x}") is Any
    assert of_value(None) is Any
    assert of_value("x") is str
