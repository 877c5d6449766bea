"""What the pages say that can be checked without running it: links, anchors, commands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")})
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
MADE = re.compile(r"^<!-- (\w[\w ]*) -->$.*?^<!-- end \1 -->$", re.M | re.S)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
TARGET = re.compile(r"^([a-z-]+):.*## ", re.M)
OPTION = re.compile(r"^[A-Z]+=|^-")


def prose(page):
    return CODE.sub("", BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    found = []
    for heading in re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-"))
    return found


def links(page):
    found = [one or other for one, other in LINK.findall(prose(page))]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page):
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_in_lines_of_100_columns(page):
    """But for what cannot be broken: a long link, or code."""
    text = MADE.sub("", BLOCK.sub("", page.read_text(encoding="utf-8")))
    lines = [line for line in text.splitlines() if not re.match(r"\s*(\||<|!\[|#)", line)]
    breakable = (CODE.sub(lambda code: code[0].replace(" ", "_"), line) for line in lines)
    assert [line for line in breakable if line.rfind(" ") > 100] == []


def test_the_index_has_every_page_once():
    index = ROOT / "docs" / "README.md"
    listed = [link for link in links(index) if link.endswith(".md") and "/" not in link]
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path != index]
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_targets_and_modules_that_exist(page):
    text = page.read_text(encoding="utf-8")
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    targets |= {"bench-training", "bench-sweep", "bench-overhead", "bench-scaling"}
    targets |= {"bench-gpu", "bench-gpu-workers"}
    given = [
        word
        for block in BLOCK.findall(text)
        for line in re.findall(r"^(?:\$ )?make ([^#\n]*)", block, re.M)
        for word in re.sub(r"\"[^\"]*\"", "", line).split()
        if not OPTION.match(word)
    ]
    modules = re.findall(r"python -m (mnist_sweep(?:\.\w+)*)", text)
    places = [ROOT.joinpath(*module.split(".")) for module in modules]
    assert set(given) <= targets
    assert [str(p) for p in places if not (p.with_suffix(".py").exists() or p.is_dir())] == []


def test_the_citation_and_the_changelog_are_of_this_version():
    project, citation, changes = (
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md")
    )
    version = re.search(r'^version = "(.+)"$', project, re.M)[1]
    assert f"\nversion: {version}\n" in citation
    assert re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", changes, re.M)
