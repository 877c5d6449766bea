"""Pages with places that tables are put into, between <!-- NAME --> and <!-- end NAME -->.

Another page's part is between <!-- NAME: begin --> and <!-- NAME: end -->.
"""

import re
from collections.abc import Mapping, Sequence

PLACE = re.compile(r"<!-- ([a-z_]+) -->\n.*?<!-- end \1 -->", re.DOTALL)


def filled(page: str, tables: Mapping[str, Sequence[str]]) -> str:
    """Return a page with its tables as they are now. Raises KeyError for a place of no table."""

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        return "\n".join([f"<!-- {name} -->", *tables[name], f"<!-- end {name} -->"])

    return PLACE.sub(fill, page)


def marked(page: str, name: str) -> list[str]:
    """Return the lines of a page's part. Raises ValueError for a page that has none."""
    lines = page.splitlines()
    return lines[lines.index(f"<!-- {name}: begin -->") + 1 : lines.index(f"<!-- {name}: end -->")]
