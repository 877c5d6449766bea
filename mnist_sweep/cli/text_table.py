"""Rows of text in columns, for a terminal."""

import textwrap
from collections.abc import Callable, Sequence

GAP = "  "
NARROWEST = 12  # letters of a name that are worth a column of their own

Align = Callable[[str, int], str]


def in_columns(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    first: Align = str.ljust,
    others: Align = str.ljust,
) -> list[str]:
    """Return rows, the header among them, as lines; `first` and `others` align the columns.

    Where they are wider than `width`, a name in the first column that is too long for what is left
    has a line to itself.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        left = width - sum(widths[1:]) - len(GAP) * len(widths[1:])
        widths[0] = min(widths[0], max(NARROWEST, len(rows[0][0]), left))
    lines = []
    for name, *cells in rows:
        fits = len(name) <= widths[0]
        if not fits:
            lines.append(name)
        shown = [first(name if fits else "", widths[0]), *map(others, cells, widths[1:])]
        lines.append(GAP.join(shown).rstrip())
    return lines


def wrapped(sentence: str, width: int | None) -> str:
    """Return a sentence in lines of whole words; in one where no width is given."""
    if width is None:
        return sentence
    return textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False)
