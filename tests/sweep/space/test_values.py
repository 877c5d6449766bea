import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mnist_sweep.sweep.space.values import override_value, read, same, value_of, written

TEXTS = [
    "adam",
    "",
    "1",
    "1.10",
    "1e3",
    "0x10",
    "1_000",
    "null",
    "None",
    "true",
    "False",
    "nan",
    "-inf",
    "/d/a b",
    "/d/c,d",
    "a=b",
    "choice(1,2)",
    "[1,2]",
    "{a:1}",
    "${x}",
    "${oc.env:HOME,a b}",
    " padded ",
    "it's",
    'a "quoted" word',
    "back\\slash",
    "ends in \\",
    "both ' and \" and \\'",
    "é ü 数字",
    "two\nlines",
    "~x",
    "+x",
    "a#b",
    "50%",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_survives_hydras_grammar(text):
    override = OverridesParser.create().parse_overrides([f"x={written(text)}"])[0]
    assert not override.is_sweep_override()
    assert override.value() == text
    assert isinstance(override.value(), str)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -3,
        0.001,
        1e-7,
        1e22,
        [],
        {},
        [1, "1", None, True, "", [2.5, "a,b"]],
        {"a": {"b": ["true", True]}, "c": None},
        OmegaConf.create({"a": [1, "x y"]}),
    ],
)
def test_any_value_survives_hydras_grammar(value):
    assert same(read(written(value)), value)


def test_a_parameters_text_stands_as_it_is_and_what_is_none_is_quoted():
    assert override_value("'1'") == "'1'"
    assert override_value("null") == "null"
    assert override_value("a,b") == "'a,b'"
    assert (value_of("'1'"), value_of("null"), value_of("[1,2]"), value_of(0.5)) == (
        "1",
        None,
        [1, 2],
        0.5,
    )


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        (0, 0.0, True),
        (1, True, False),
        (0, False, False),
        (1, "1", False),
        (None, "null", False),
        (None, None, True),
        ("a", "a", True),
        (math.nan, math.nan, True),
        ([0, [1]], [0.0, (1.0,)], True),
        ([1], [True], False),
        ([1], [1, 1], False),
        ({"a": 0}, {"a": 0.0}, True),
        ({"a": 0}, {"b": 0}, False),
        (OmegaConf.create([1, 2]), [1, 2], True),
        ([], {}, False),
    ],
)
def test_values_are_the_same_as_settings_are(one, other, are):
    assert same(one, other) is are
    assert same(other, one) is are
