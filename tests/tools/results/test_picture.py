"""The picture of accuracy against parameters."""

import pytest

from tests.tools.results.test_tables import confirmed
from tools.results.picture import THEMES, picture

OTHERS = {"others": {"networks": [{"parameters": 7_510, "test_acc": 0.9956}]}}


@pytest.mark.parametrize("theme", THEMES)
def test_it_stands_alone_in_the_themes_colours(theme):
    drawn = picture(OTHERS | {"best_8k": confirmed(7_906, [0.996, 0.997])}, theme)
    assert drawn.splitlines()[1].startswith("<svg width=")
    assert "currentColor" not in drawn
    assert "var(" not in drawn
    assert THEMES[theme]["currentColor"] in drawn


def test_only_what_there_are_figures_of_is_in_the_legend():
    assert "fresh seeds" not in picture(OTHERS, "light")
    shown = picture(OTHERS | {"best_8k": confirmed(7_906, [0.996, 0.997])}, "light")
    assert "fresh seeds" in shown


def test_networks_with_a_teacher_are_in_their_table_alone():
    alone = OTHERS | {"best_8k": confirmed(7_906, [0.996, 0.997])}
    taught = {"best_8k_taught": confirmed(7_906, [0.995, 0.996])}
    assert picture(alone | taught, "light") == picture(alone, "light")
