"""docs/peers.md: what it says in short it says in full, and it gives its reasons."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "peers.md").read_text(encoding="utf-8")
SHORT = PAGE.partition("<!-- short table: begin -->")[2].partition("<!-- short table: end -->")[0]
FULL = PAGE.partition("\n## In full\n")[2].partition("\n## ")[0]
REASONS = PAGE.partition("\n## The reasons\n")[2].partition("\n## ")[0]
WORDS = {"**yes**", "partly", "no"}


def table(text: str) -> dict[str, dict[str, str]]:
    """Return a table's cells by row and column."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    names = rows[0][1:]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows[2:]}


def reasons() -> dict[str, str]:
    """Return the text under each row's name in lower case, as one line."""
    sections = re.split(r"\n### (.+)\n", REASONS)[1:]
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return {name.lower(): " ".join(text.split()) for name, text in pairs}


def test_every_cell_is_one_of_three_words() -> None:
    cells = [cell for row in table(FULL).values() for cell in row.values()]
    assert len(cells) == 15 * 9
    assert set(cells) == WORDS


def test_the_short_table_says_what_the_full_one_says() -> None:
    full, short = table(FULL), table(SHORT)
    assert len(short) == 10
    assert all(
        cell == full[name][tool] for name, row in short.items() for tool, cell in row.items()
    )


def test_a_tool_without_a_column_in_the_short_table_differs_as_the_sentence_below_it_says() -> None:
    full = table(FULL)
    differing = [
        name
        for name in table(SHORT)
        if full[name]["lightning-hydra-template"] != full[name]["Hydra's Optuna sweeper"]
    ]
    assert differing == ["sampler learns from rejections"]


def test_every_cell_that_is_not_yes_has_its_reason() -> None:
    texts = reasons()
    without = [
        (name, tool)
        for name, row in table(FULL).items()
        for tool, cell in row.items()
        if cell != "**yes**"
        and f"**{'This project' if tool == 'this project' else tool}**"
        not in texts[name.lower().replace("`", "")]
    ]
    assert not without


def test_what_was_tried_can_be_tried_again() -> None:
    source = (Path(__file__).parents[1] / "benchmarks" / "peers.py").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:sweeper|optuna)_[a-z]+)`", PAGE))
    assert named == set(re.findall(r"^def ((?:sweeper|optuna)_\w+)\(", source, re.MULTILINE))
