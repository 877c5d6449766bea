"""report.md: a report's sections in Markdown."""

from collections.abc import Sequence

from mnist_sweep.report.blocks import (
    AllTrials,
    Block,
    Commands,
    Gallery,
    Headline,
    Note,
    Picture,
    Points,
    Section,
    Table,
)
from mnist_sweep.text import (
    code_block,
    in_markdown,
    markdown_code,
    markdown_table,
    one_line,
    visible,
)


def markdown(name: str, sections: Sequence[Section]) -> str:
    """Return a report as Markdown; pictures are files beside it."""
    parts = [f"# {_line(name)}"]
    for section in sections:
        title = _line(section.title)
        parts += [f"## {title}", *(_block(block) for block in section.blocks)]
    return visible("\n\n".join(parts)) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Headline):
        return f"**{_line(block.text)}**"
    if isinstance(block, AllTrials):
        return f"trials.csv has all {block.count}."
    if isinstance(block, Gallery):
        return "\n\n".join([f"{block.what}:", *(_block(picture) for picture in block.pictures)])
    if isinstance(block, Note):
        return _line(block.text)
    if isinstance(block, Points):
        return "\n".join(f"- {_line(line)}" for line in block.lines)
    if isinstance(block, Picture):
        return f"![{_line(block.shows)}]({block.name}.png)"
    if isinstance(block, Commands):
        return code_block("\n".join(f"# {what}\n{line}" for what, line in block.lines))
    return _table(block)


def _table(table: Table) -> str:
    rows = [
        [
            markdown_code(cell) if n in table.code else in_markdown(cell)
            for n, cell in enumerate(row)
        ]
        for row in table.rows
    ]
    return "\n".join(markdown_table(list(map(in_markdown, table.header)), rows))


def _line(text: str) -> str:
    """Return a text as a line of Markdown: after a break in it, a heading or a list could begin."""
    return in_markdown(one_line(text))
