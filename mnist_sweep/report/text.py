"""report.md: a report's sections in Markdown."""

from collections.abc import Sequence

from mnist_sweep.report.content import (
    Block,
    Commands,
    Note,
    Picture,
    Points,
    Section,
    Table,
)


def markdown(name: str, sections: Sequence[Section]) -> str:
    """Return a report as Markdown; pictures are files beside it."""
    parts = [f"# {name}"]
    for section in sections:
        parts += [f"## {section.title}", *(_block(block) for block in section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
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
    lines = [table.header, ["---"] * len(table.header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines
    )
