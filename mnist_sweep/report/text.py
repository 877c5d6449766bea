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
from mnist_sweep.text import markdown_table


def markdown(name: str, sections: Sequence[Section]) -> str:
    """Return a report as Markdown; pictures are files beside it."""
    parts = [f"# {name}"]
    for section in sections:
        parts += [f"## {section.title}", *(_block(block) for block in section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Headline):
        return f"**{block.text}**"
    if isinstance(block, AllTrials):
        return f"trials.csv has all {block.count}."
    if isinstance(block, Gallery):
        return "\n\n".join([f"{block.what}:", *(_block(picture) for picture in block.pictures)])
    if isinstance(block, Note):
        return block.text
    if isinstance(block, Points):
        return "\n".join(f"- {line}" for line in block.lines)
    if isinstance(block, Picture):
        return f"![{block.shows}]({block.name}.png)"
    if isinstance(block, Commands):
        return "```bash\n" + "\n".join(f"# {what}\n{line}" for what, line in block.lines) + "\n```"
    return _table(block)


def _table(table: Table) -> str:
    rows = [
        [f"`{cell}`" if n in table.code else cell for n, cell in enumerate(row)]
        for row in table.rows
    ]
    return "\n".join(markdown_table(table.header, rows))
