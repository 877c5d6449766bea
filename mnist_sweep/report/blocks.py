"""What a report is made of: the same for the text and for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Headline:
    """The sentence that answers."""

    text: str


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows under a header. Columns in `code` are settings, and written as such.

    `short`: what the page heads a column with in place of its name, which it shows on hover.
    `trials`: of which trial each row is, where the rows are trials.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: Sequence[int] = ()
    short: Mapping[str, str] = field(default_factory=dict)
    trials: Sequence[int] = ()


@dataclass(frozen=True)
class Commands:
    """Command lines, each with what it is."""

    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Picture:
    """A figure by its name, and what it shows in words."""

    name: str
    shows: str


@dataclass(frozen=True)
class Gallery:
    """Pictures that are looked at together, folded away under what they are."""

    what: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class AllTrials:
    """Every trial: a table on the page, which its script fills; in the text, where to find them."""

    count: int


Block: TypeAlias = Headline | Note | Points | Table | Commands | Picture | Gallery | AllTrials


@dataclass(frozen=True)
class Section:
    """A heading, and what is below it. `leads`: it is the answer, beside its picture."""

    title: str
    blocks: Sequence[Block]
    leads: bool = False
