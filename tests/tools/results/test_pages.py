"""Pages with tables in them, and the project's own."""

import re

import pytest

from tools.results.__main__ import made
from tools.results.pages import filled, marked


def test_a_table_takes_the_place_of_the_one_before():
    page = "Before.\n\n<!-- budgets -->\nold\n<!-- end budgets -->\n\nAfter.\n"
    once = filled(page, {"budgets": ["| a |", "| b |"]})
    assert once == "Before.\n\n<!-- budgets -->\n| a |\n| b |\n<!-- end budgets -->\n\nAfter.\n"
    assert filled(once, {"budgets": ["| c |"]}).count("| a |") == 0


def test_a_place_of_no_table_is_refused():
    with pytest.raises(KeyError, match="nothing"):
        filled("<!-- nothing -->\n<!-- end nothing -->", {"budgets": []})


def test_a_part_of_another_page_is_taken_as_it_is():
    page = "# Peers\n<!-- short: begin -->\n| a |\n| b |\n<!-- short: end -->\nmore\n"
    assert marked(page, "short") == ["| a |", "| b |"]
    with pytest.raises(ValueError, match="long"):
        marked(page, "long")


def test_the_projects_pages_and_pictures_are_made_from_the_figures_that_are_committed():
    """`make results` makes them anew."""
    for path, text in made().items():
        there = path.read_text(encoding="utf-8")
        drawn_by = re.match(r"<!-- matplotlib .* -->\n", there)
        if drawn_by is None or text.startswith(drawn_by[0]):  # another version draws otherwise
            assert there == text, f"{path.name} is not current"
