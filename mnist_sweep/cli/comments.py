"""What config files say of themselves and of their settings, in their comments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml  # type: ignore[import-untyped]

PACKAGE = re.compile(r"#\s*@package\s+(\S+)")  # Hydra's directive: where a file's settings go
COMMENT = re.compile(r"\s*#\s*(.*)")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # six times as quick, where it is built


@dataclass(frozen=True)
class Comments:
    """A file's comments.

    `header`: of the file; `settings`: by dotted key within the file; `bases`: the options of its
    own group that it extends; `package`: where its directive puts it, None without one.
    """

    header: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    package: str | None = None


def read_comments(text: str) -> Comments:
    """Return the comments of a YAML file; none of one that is no mapping, or no YAML.

    A setting's comment ends its line. Where there is none, it is the lines of comment above it.
    """
    lines = text.splitlines()
    try:
        root = yaml.compose(text, LOADER)
    except yaml.YAMLError:
        return Comments()
    first = root.start_mark.line if root is not None else len(lines)
    above = [line for line in lines[:first] if line.startswith("#")]
    package = next((found[1] for line in above if (found := PACKAGE.match(line))), None)
    header = " ".join(line.strip("# ") for line in above if not PACKAGE.match(line))
    if not isinstance(root, yaml.MappingNode):
        return Comments(header, package=package)
    settings = dict(_of_settings(root, lines, "", first))
    return Comments(header, settings, _bases(root), package)


def _of_settings(
    node: Any, lines: list[str], prefix: str, header_ends: int
) -> Iterator[tuple[str, str]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        comment = _behind(key, value, lines) or _above(key.start_mark.line, lines, header_ends)
        if comment:
            yield name, comment
        if isinstance(value, yaml.MappingNode):
            yield from _of_settings(value, lines, f"{name}.", header_ends)


def _behind(key: Any, value: Any, lines: list[str]) -> str:
    """Return the comment at the end of the line that a setting is on."""
    block = isinstance(value, yaml.CollectionNode) and not value.flow_style
    end = key.end_mark if block else value.end_mark
    if end.line >= len(lines):
        return ""
    rest = lines[end.line][end.column :]
    found = COMMENT.match(rest.lstrip(": ") if block else rest)
    return found[1] if found else ""


def _above(line: int, lines: list[str], header_ends: int) -> str:
    """Return the lines of comment directly above a line, without the file's header."""
    found: list[str] = []
    for text in reversed(lines[header_ends:line]):
        comment = COMMENT.fullmatch(text)
        if comment is None:
            break
        found.insert(0, comment[1])
    return " ".join(found)


def _bases(root: Any) -> tuple[str, ...]:
    """Return the options of its own group in a file's defaults list."""
    for key, value in root.value:
        if key.value == "defaults" and isinstance(value, yaml.SequenceNode):
            names = (each.value for each in value.value if isinstance(each, yaml.ScalarNode))
            return tuple(name for name in names if name != "_self_" and not name.startswith("/"))
    return ()
