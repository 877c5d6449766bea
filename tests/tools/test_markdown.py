"""Markdown as GitHub shows it."""

import pytest

from tools.markdown import prose, table


def test_a_bar_in_a_cell_ends_no_cell_and_an_empty_column_is_left_out():
    lines = list(table(("a", "b", "c"), [("x | y", "", "1"), ("z", "", "")]))
    assert lines == ["| a | c |", "| --- | --- |", "| x \\| y | 1 |", "| z |  |", ""]


def test_a_table_without_rows_is_nothing():
    assert list(table(("a",), [])) == []


@pytest.mark.parametrize(
    ("comment", "markdown"),
    [
        ("as keep.monitor, of val_acc", "as `keep.monitor`, of `val_acc`"),
        ("in multirun/<study>/<trial>, or here", "in `multirun/<study>/<trial>`, or here"),
        ("such as 'x.y=range(5,60)': so", "such as '`x.y=range(5,60)`': so"),
        ("with tracking=[a,b].", "with `tracking=[a,b]`."),
        ("those of search=ablation/..., or one", "those of `search=ablation/...`, or one"),
        ("`dry_run` is code already", "`dry_run` is code already"),
        (
            "see docs/architectures.md.",
            "see [architectures.md](architectures.md).",
        ),
        ("plain words, 4,000/500/500", "plain words, 4,000/500/500"),
    ],
)
def test_names_in_a_comment_are_code_and_pages_are_links(comment, markdown):
    assert prose(comment) == markdown
