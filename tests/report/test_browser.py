"""The page in a browser: what only one can tell."""

import re
from pathlib import Path

import pytest
from PIL import Image

from mnist_sweep.report import __main__ as entry
from mnist_sweep.report.drawing import BLUE, RED
from tests.browser import browse, needs_browser, told
from tests.report.conftest import ADDRESS, add, create
from tests.report.test_page import Page

pytestmark = [needs_browser, pytest.mark.slow]


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


def test_an_address_of_a_trial_marks_it_in_every_chart_and_table(report):
    dom = browse(report, "--dump-dom", fragment="#trial-2")
    chosen = re.findall(r'<(\w+)[^>]*class="chosen"[^>]*>', dom)
    assert set(chosen) == {"tr", "use", "path"}
    assert not re.search(r'data-trial="4"[^>]*class="chosen"', dom)
    assert len(re.findall(r'<tr id="trial-\d+"', dom)) == 9


def test_a_point_shows_its_trial_on_hover_and_leads_to_its_row(report):
    dom = told(
        report,
        """
        const point = document.querySelector('use[data-trial="2"]');
        const box = point.getBoundingClientRect();
        const [clientX, clientY] = [box.x + box.width / 2, box.y + box.height / 2];
        const at = { clientX, clientY, bubbles: true };
        point.ownerSVGElement.dispatchEvent(new PointerEvent("pointerenter", at));
        point.dispatchEvent(new PointerEvent("pointermove", at));
        document.title = document.getElementById("tip").textContent;
        point.dispatchEvent(new MouseEvent("click", at));
        """,
    )
    (title,) = re.findall("<title>(.*?)</title>", dom)
    assert title.startswith("trial 2, completeval_acc97.00%parameters18,000optimizer.lr0.099")
    assert re.search(r'<tr id="trial-2"[^>]*class="chosen"', dom)


def test_a_state_that_is_filtered_out_is_neither_in_the_table_nor_in_the_charts(report):
    dom = told(report, "document.querySelectorAll('.states button')[0].click();")
    assert re.search(r'<button[^>]*aria-pressed="false"[^>]*>complete 4', dom)
    hidden = re.findall(r'<tr id="trial-(\d+)"[^>]*hidden', dom)
    assert hidden == ["0", "2", "4", "6"]
    parts = re.findall(r'data-trial="2"([^>]*)>', dom)
    assert parts
    assert all("hidden-state" in part for part in parts)


def test_a_table_is_sorted_by_numbers_and_empty_cells_are_last(report):
    header = "document.querySelectorAll('#trials th button')[3]"
    dom = told(report, f"{header}.click();")
    rows = re.findall(r'<tr id="trial-(\d+)"', dom)
    assert rows[:4] == ["4", "0", "3", "5"]  # 9,000 parameters, then three times 15,000
    assert rows[-1] == "8"  # runs, and has none yet


def test_a_line_that_cannot_be_copied_is_selected(report):
    dom = told(
        report,
        """
        navigator.clipboard.writeText = () => Promise.reject(new Error("not here"));
        document.querySelector("[data-copy]").click();
        setTimeout(() => { document.title = getSelection().toString(); }, 100);
        """,
    )
    (title,) = re.findall("<title>(.*?)</title>", dom)
    assert title.startswith("python -m mnist_sweep.train data=mnist_5k seed=2")


def test_a_name_that_is_a_script_does_not_run():
    hostile = "<img src=x onerror=alert(1)></script><script>document.title='run'</script>"
    study = create("hostile")
    add(study, "complete", 0.9, name=hostile, notes=hostile, overrides=[hostile], parameters=9)
    add(study, "failed", reason=hostile, parameters=9)
    entry.main(entry.Report("hostile", ADDRESS))
    found = Page(browse(Path("multirun/hostile/report/index.html"), "--dump-dom"))
    assert found.seen["img"] == 0
    assert found.seen["script"] == 2


def test_the_console_is_listened_to(tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text("<script>undefinedFunction()</script>")
    with pytest.raises(AssertionError, match="undefinedFunction is not defined"):
        browse(broken, "--dump-dom")
