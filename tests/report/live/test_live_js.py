"""The live page in a browser: it shows what is new, and the reader's place is kept."""

import base64
import html
import json
import re
from pathlib import Path

import pytest

from mnist_sweep.report.live.renewal import LOOK
from tests.browser import browse, needs_browser
from tests.report.conftest import add, ran, stored

pytestmark = [needs_browser, pytest.mark.slow]

# Answers for the server: news of a newer version, and then the newer page.
SERVER = """
window.fetch = async address => {
  asked.push(String(address));
  if (String(address).includes("news")) {
    if (!ready) return { ok: true, json: async () => old };
    return { ok: true, json: async () => news };
  }
  return { ok: true, text: async () => new TextDecoder().decode(newer) };
};
"""


@pytest.fixture
def told(usual, renewal, clock):
    """Return a function: the page's elements after a script that ran before and after its news."""

    def page():
        renewal.shown(usual)
        while renewal.step():
            pass
        clock.now += LOOK
        return renewal.shown(usual)

    first = page()
    add(stored(usual), "complete", 0.99, **ran(9))
    second = page()

    def run(before, after):
        data = {
            "news": {"version": second.version, "line": "the newer line", "trouble": False},
            "old": {"version": first.version, "line": "the older line", "trouble": False},
        }
        names = "".join(f"const {key} = {json.dumps(value)};\n" for key, value in data.items())
        bytes64 = base64.b64encode(second.sent.encode()).decode()
        names += f'const newer = Uint8Array.from(atob("{bytes64}"), c => c.charCodeAt(0));\n'
        script = f"<script>const asked = []; let ready = false;\n{names}{SERVER}</script>"
        acting = (
            "<script>(async () => {"
            "const pause = time => new Promise(done => setTimeout(done, time));"
            f"await pause(300); {before}; ready = true; await pause(2000); {after}"
            "})();</script>"
        )
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', script, first.sent)
        Path("told.html").write_text(text.replace("</body>", f"{acting}</body>"), encoding="utf-8")
        return browse(Path("told.html"), "--dump-dom")

    return run


def found(text):
    (value,) = re.findall(r'data-found="([^"]*)"', text)
    return json.loads(html.unescape(value))


def test_the_reader_keeps_order_filter_folds_choice_and_place(told):
    before = """
      const all = selector => [...document.querySelectorAll(selector)];
      const head = all("#trials th button").find(b => b.textContent === "lr");
      head.click(); head.click();
      all(".states button").find(b => b.textContent.startsWith("pruned")).click();
      document.querySelector(".commands details").open = true;
      choose("4");
      document.querySelector("#trials").scrollIntoView();
      const place = document.querySelector("#trials").getBoundingClientRect().top;
      document.querySelector("#trials .scroll").scrollLeft = 3;
      head.focus();
    """
    after = """
      document.body.dataset.found = JSON.stringify({
        line: document.getElementById("live").textContent,
        rows: document.querySelectorAll("#trials tbody tr").length,
        order: all("#trials th[aria-sort]").map(th => [th.textContent, th.ariaSort]),
        hidden: all("#trials tr[hidden]").map(row => row.dataset.of),
        pressed: all(".states button[aria-pressed=false]").length,
        open: document.querySelector(".commands details").open,
        chosen: document.querySelector("#trials tr.chosen")?.dataset.of,
        moved: Math.abs(document.querySelector("#trials").getBoundingClientRect().top - place),
        scrolled: scrollY > 0,
        focused: document.activeElement.textContent,
        first: document.querySelector("#trials tbody tr").dataset.of,
      });
    """
    seen = found(told(before, after))
    assert seen["line"] == "the newer line"
    assert seen["rows"] == 10
    assert seen["order"] == [["lr", "descending"]]
    assert seen["hidden"] == ["3"]
    assert seen["pressed"] == 1
    assert seen["open"] is True
    assert seen["chosen"] == "4"
    assert seen["moved"] < 2
    assert seen["scrolled"] is True
    assert seen["focused"] == "lr"
    assert seen["first"] == "2"  # whose rate is the highest


def test_what_is_selected_is_not_replaced_under_the_reader(told):
    before = 'getSelection().selectAllChildren(document.querySelector("main p"))'
    after = """
      const first = document.querySelectorAll("#trials tbody tr").length;
      const line = document.getElementById("live").textContent;
      getSelection().empty();
      await pause(2000);
      const rows = document.querySelectorAll("#trials tbody tr").length;
      document.body.dataset.found = JSON.stringify({ first, rows, line });
    """
    text = told(before, after)
    seen = found(text)
    assert (seen["first"], seen["rows"]) == (9, 10)
    assert "renewed when nothing is selected" in seen["line"]


def test_a_server_that_has_ended_is_said_with_what_to_do(told):
    before = "window.fetch = async () => { throw new TypeError('gone'); }"
    after = """
      const line = document.getElementById("live").textContent;
      const rows = document.querySelectorAll("#trials tbody tr").length;
      document.body.dataset.found = JSON.stringify({ line, rows });
    """
    seen = found(told(before, after))
    assert "The server does not answer: start it again, and this page continues" in seen["line"]
    assert seen["line"].startswith("the older line")
    assert seen["rows"] == 9
