"""How durations, numbers, paths and names are written for people."""

import difflib
import html
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig


def duration(seconds: float) -> str:
    """Return seconds as people say them: 48s, 5m07s, 2h03m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def short_duration(seconds: float) -> str:
    """Return seconds with two digits where they are few: 0.15s, 2.3s; else as `duration`."""
    return f"{seconds:.2g}s" if seconds < 9.95 else duration(seconds)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural: 1 trial, 2,000 trials."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table's lines in Markdown; a line break in a cell, which would end it, is none."""
    lines = [header, ["---"] * len(header), *rows]
    cells = [[one_line(cell).replace("|", r"\|") for cell in line] for line in lines]
    return [f"| {' | '.join(line)} |" for line in cells]


def percent(fraction: float, images: int | None = None) -> str:
    """Return an accuracy on so many images in percent, with the decimals that they can tell apart.

    At most two, also where the number of images is not known: 97.0% of 500, 99.43% of 10,000.
    """
    most = 2
    decimals = most if images is None else math.ceil(math.log10(max(images, 1) / 100))
    return f"{fraction:.{min(max(decimals, 0), most)}%}"


def megabytes(size: int) -> str:
    """Return bytes as people say them: 0.3 MB, 12 MB, 1.4 GB."""
    value, unit = (size / 1e9, "GB") if size >= 999.5e6 else (size / 1e6, "MB")
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def command_folder() -> Path:
    """Return where the command was given: Hydra may have moved a job to its run directory."""
    if HydraConfig.initialized():
        return Path(HydraConfig.get().runtime.cwd)
    return Path.cwd()


def relative(path: Path) -> str:
    """Return a path as the user sees it, from where the command was given; in full elsewhere."""
    absolute, here = path.resolve(), command_folder()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def one_line(said: object) -> str:
    """Return a text, or an exception's message, without line breaks."""
    return " ".join(str(said).split())


def printable(text: str) -> str:
    """Return a text that may be anybody's as one line, without what would move the cursor."""
    if text.isprintable():
        return text
    line = one_line(text)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


# Control characters but tab and line break, and those that turn the direction of writing.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return a text of any lines with an escape for what moves a cursor or turns the writing."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_markdown(text: str) -> str:
    """Return a text that may be anybody's as Markdown that shows it: no element, link or image."""
    return html.escape(text, quote=False).replace("[", r"\[").replace("`", r"\`")


def markdown_code(text: str) -> str:
    """Return a text as Markdown's code within a line, which a backtick in it would end."""
    return f"`{text.replace('`', chr(39))}`"


def code_block(text: str) -> str:
    """Return lines of a shell as a block of Markdown's, which nothing in them ends."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{text}\n{fence}"


def shortened(value: object) -> str:
    """Return a value as one line that a message can hold, whatever it is."""
    text = one_line(value)
    return text if len(text) <= 300 else f"{text[:300]}..."


def ending(text: str, most: int) -> str:
    """Return a text of so many letters at most, of a longer one its end: a path's file name."""
    return text if len(text) <= most else f"...{text[len(text) - most + 3 :]}"


def nearest(name: str, known: Sequence[str]) -> str:
    """Return which of some names is meant by another, or all of them where none is near."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"the nearest is {near[0]}"
    return f"known are {', '.join(known)}" if known else "it takes none"
