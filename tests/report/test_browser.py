"""The page in a browser: what only one can tell."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from mnist_sweep.report import __main__ as entry
from mnist_sweep.report.drawing import BLUE, RED
from tests.report.conftest import ADDRESS
from tests.report.test_page import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"there is no browser here: none of {', '.join(NAMES)}"
)


def browse(page, *arguments, width=1200):
    """Open a page, run its scripts, return what came of it; fail for what its console has to say.

    With a profile of its own and without what a browser does beside, such as updates.
    """
    line = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    line += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    line += [f"--user-data-dir={Path('profile').resolve()}", "--enable-logging=stderr", "--v=0"]
    line += [f"--window-size={width},1600", "--hide-scrollbars", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [*line, *arguments, page.resolve().as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.findall(r"CONSOLE.*", done.stderr) == []
    return done.stdout


def colours(path):
    """Return how many pixels of a screenshot have each colour."""
    with Image.open(path) as image:
        return {colour: count for count, colour in image.convert("RGB").getcolors(1 << 24)}


def rgb(colour):
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


@pytest.fixture
def report(usual):
    entry.main(entry.Report(usual, ADDRESS))
    return Path("multirun/usual/report/index.html")


def test_the_page_runs_without_errors_and_its_links_resolve(report):
    found = Page(browse(report, "--dump-dom"))
    inner = [link for link in found.links if link.startswith("#")]
    assert inner
    assert all(link[1:] in found.ids for link in inner)
    assert found.seen["svg"] == 5


@pytest.mark.parametrize("width", [1200, 500], ids=["wide", "phone"])
def test_the_figures_are_drawn(report, width):
    browse(report, f"--screenshot={Path('shot.png').resolve()}", width=width)
    shown = colours("shot.png")
    assert shown.get(rgb(BLUE), 0) > 20  # the trials of the first chart
    assert shown.get(rgb(RED), 0) > 20  # and the best so far


def test_the_console_is_listened_to(tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text("<script>undefinedFunction()</script>")
    with pytest.raises(AssertionError, match="undefinedFunction is not defined"):
        browse(broken, "--dump-dom")
