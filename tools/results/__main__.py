"""Make the tables and pictures of the project's pages from docs/results/*.json.

make results
"""

from pathlib import Path

from mnist_sweep.files import replacing
from tools.results import figures
from tools.results.badges import badges
from tools.results.pages import filled, marked
from tools.results.picture import THEMES, picture
from tools.results.tables import tables

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "docs" / "results.md", ROOT / "README.md")
PEERS = ROOT / "docs" / "peers.md"
PICTURES = ROOT / "docs" / "pictures"


def made() -> dict[Path, str]:
    """Return what each page and picture should be, from the figures that are there."""
    summaries = figures.read()
    found = {name: make(summaries) for name, make in tables().items()}
    found["peers"] = marked(PEERS.read_text(encoding="utf-8"), "short table")
    pages = {page: filled(page.read_text(encoding="utf-8"), found) for page in PAGES}
    drawn = {PICTURES / f"results-{theme}.svg": picture(summaries, theme) for theme in THEMES}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    small = {PICTURES / f"{name}.svg": text for name, text in badges(project).items()}
    return pages | drawn | small


def main() -> None:
    """Write what is not as it should be, and name it."""
    for path, text in made().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
