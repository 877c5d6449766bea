import base64
import hashlib
import html
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState, create_trial

from mnist_sweep.report import __main__ as entry
from mnist_sweep.report.blocks import Commands, Gallery, Note, Section, Table
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import sections
from mnist_sweep.report.drawing import svg
from mnist_sweep.report.page import page
from mnist_sweep.sweep.storage import open_storage
from mnist_sweep.sweep.study_record import read_study
from mnist_sweep.sweep.study_store import DATA
from tests.report.conftest import ADDRESS, SPACE, create

NO_END = {"meta", "link", "img", "path", "use", "wbr"}


class Page(HTMLParser):
    """What a page holds: its ids, its links, its elements, and whether they are closed."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.seen = Counter(), [], [], Counter()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.seen[tag] += 1
        given = dict(attributes)
        if "id" in given:
            self.ids[given["id"]] += 1
        for name in ("href", "xlink:href", "src"):
            if name in given:
                self.links.append(given[name])
        if tag not in NO_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in NO_END:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in NO_END:
            assert self.open.pop() == tag


@pytest.fixture
def written(usual):
    record = read_study(usual, ADDRESS)
    drawn = charts(record)
    content = sections(record, [picture for picture, _ in drawn.values()])
    return page(record.name, content, {name: figure for name, (_, figure) in drawn.items()})


def test_the_page_is_whole_and_needs_nothing_beside_it(written):
    found = Page(written)
    assert found.open == []
    assert [name for name, count in found.ids.items() if count > 1] == []
    assert found.links
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids, link
        else:
            assert link.startswith("data:"), link
    assert found.seen["svg"] == 5
    assert found.seen["h1"] == 1
    assert found.seen["h2"] == len(re.findall('<a href="#s', written))


def test_charts_take_on_the_pages_colours(usual):
    _, figure = charts(read_study(usual, ADDRESS))["history"]
    drawn = svg(figure, "history")
    assert "currentColor" in drawn
    assert "var(--line)" in drawn
    assert "#1f2933" not in drawn
    assert re.match(r"<svg [^>]*viewBox", drawn)
    assert not re.match(r"<svg [^>]* (width|height)=", drawn)
    assert svg(figure, "history") == drawn


def test_what_a_user_has_named_is_text_and_never_markup():
    text = page("<script>alert(1)</script>", [Section("<b>", [Note("a < b & c")])], {})
    assert "<script>alert" not in text
    assert "<b>" not in text
    assert "a &lt; b &amp; c" in text


HOSTILE = "</script><script>alert(1)</script><!--\u2028\u2029&"


def test_what_the_script_is_told_cannot_leave_its_element_and_arrives_whole():
    text = page("name", [], {}, {"trials": [{"number": 0, "reason": HOSTILE}]})
    assert "<script>alert" not in text
    assert "<!--" not in text
    (told,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert json.loads(told)["trials"][0]["reason"] == HOSTILE


def test_only_the_pages_own_script_may_run():
    text = page("name", [], {})
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    rules = dict(rule.split(maxsplit=1) for rule in html.unescape(policy).split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"


def test_a_setting_is_headed_by_its_short_name_and_shows_the_whole_one_on_hover():
    table = Table(("trial", "optimizer.lr"), [("7", "0.01")], short={"optimizer.lr": "lr"})
    text = page("name", [Section("best", [table])], {})
    assert '<th scope="col" title="optimizer.lr"><button type="button">lr</button>' in text


def test_commands_can_be_read_where_no_script_runs():
    line = "python -m mnist_sweep.train 'name=<b>'"
    text = page("name", [Section("again", [Commands([("trial 1", line)])])], {})
    assert "<details open>" in text
    assert f"<dd><code>{html.escape(line, quote=False)}" in text.replace("&#39;", "'")


def test_a_gallery_is_folded_away(usual):
    drawn = charts(read_study(usual, ADDRESS))
    gallery = Gallery("Filters", [picture for picture, _ in drawn.values()])
    figures = {name: figure for name, (_, figure) in drawn.items()}
    text = page("name", [Section("network", [gallery])], figures)
    assert '<details class="fold"><summary>Filters</summary>' in text
    assert Page(text).seen["svg"] == len(drawn)


def test_a_study_without_a_complete_trial_has_no_charts_of_them(usual):
    create("empty")
    assert charts(read_study("empty", ADDRESS)) == {}


@pytest.mark.slow
def test_two_thousand_trials_make_a_page_of_a_few_megabytes():
    draw = np.random.default_rng(0)
    address = "journal:///large.journal"  # SQLite would take half a minute to hold them
    study = create("large", storage=open_storage(address).optuna)
    trials = []
    for number in range(2_000):
        pruned = bool(number % 3)
        epochs = int(draw.integers(1, 10)) if pruned else 20
        best = float(draw.uniform(0.9, 0.999))
        curve = {epoch: best * (1 - 0.5**epoch) for epoch in range(1, epochs + 1)}
        trials.append(
            create_trial(
                state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
                value=None if pruned else best,
                params={
                    "optimizer.lr": float(draw.uniform(0.001, 0.1)),
                    "model.width": float(draw.uniform(0.5, 1.5)),
                    "batch_size": int(draw.choice([16, 32])),
                },
                distributions=SPACE,
                user_attrs={
                    "parameters": int(draw.integers(5_000, 19_999)),
                    "epochs": epochs,
                    DATA: "abc",
                },
                intermediate_values=curve,
            )
        )
    study.add_trials(trials)
    entry.main(entry.Report("large", address))
    written = Path("multirun/large/report/index.html").read_text()
    assert len(written) < 10_000_000
    assert Page(written).open == []
