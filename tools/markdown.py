"""Markdown as GitHub shows it: tables, and code in them."""

import re
from collections.abc import Iterable, Iterator, Sequence

from mnist_sweep.text import markdown_table

# Names of settings, calls, addresses and the like, which are code wherever they are.
CODE = re.compile(
    r"(?<![`\w/])("
    r"\$\{[^}]*\}"  # an interpolation
    r"|(?:\w+\.)*\w+=\w+\([^)]*\)"  # a sweep
    r"|\{.*\}|\[[\w.]+,[\w.]+\]"  # a mapping, a list
    r"|(?:[\w/.]*<\w+>(?:[\w/.-]*\w)?)+"  # a place that depends on a name
    r"|\w+:///?\w[\w/.]*\w"  # an address
    r"|(?:\w+/)*\w+=[\w./:\[\],'*-]*[\w\]'/*](?:\.\.\.)?"  # an override
    r"|(?:\w+\.)+\w+_\w+(?:\.\w+)*"  # a dotted name
    r"|(?:budget|data|keep|model|optimizer|scheduler)(?:\.\w+)+"
    r"|[a-z]+(?:_[a-z0-9]+)+(?![\w/(-])"  # a name of several words
    r")"
)


def code(text: str) -> str:
    """Return a text as code."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Return a comment as prose, in which names of settings are code and pages are links."""
    text = re.sub(r"docs/(\w+)\.md", r"[\1.md](\1.md)", text)
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else CODE.sub(r"`\1`", part) for part in parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table's lines, and an empty one behind them; nothing where it has no rows.

    A column in which no row has anything is left out.
    """
    cells = list(rows)
    used = [n for n in range(len(header)) if any(row[n] for row in cells)]
    if not cells:
        return
    head, *others = [[row[n] for n in used] for row in (header, *cells)]
    yield from markdown_table(head, others)
    yield ""
