"""Pages are made when somebody looks and something has changed, and say what keeps them from it."""

import json
from pathlib import Path

import optuna
import pytest

from mnist_sweep.report.live import pages
from mnist_sweep.report.live import renewal as module
from mnist_sweep.report.live.renewal import LOOK, LOOKED_AT, REST
from mnist_sweep.sweep.storage import open_storage
from tests.report.conftest import ADDRESS, add, create, ran, stored

pytestmark = pytest.mark.usefixtures("made")


def looked(renewal, clock, name):
    """What is shown of a study once what is due has been done."""
    clock.now += LOOK
    renewal.shown(name)
    while renewal.step():
        pass
    return renewal.shown(name)


def test_a_page_is_made_when_it_is_asked_for_and_says_how_far_the_study_is(usual, renewal, clock):
    assert "This page is being made" in renewal.shown(usual).sent
    shown = looked(renewal, clock, usual)
    assert "9 rows" in shown.sent
    assert shown.line.startswith("as of ")
    assert shown.line.endswith(": 6 trials done, 1 running")
    assert shown.line in shown.sent
    assert not shown.trouble


def test_the_line_of_a_pages_age_is_text():
    line = "as of 12:00:00: <script>alert(1)</script> & more"
    shown = pages.Shown(f"<p>{pages.LINE}</p>", "as of 12:00:00", "v", line)
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"
    assert shown.sent == f"<p>as of 12:00:00: {escaped}</p>"


def test_a_page_is_made_again_only_where_its_study_has_changed(usual, renewal, clock, made):
    first = looked(renewal, clock, usual)
    again = looked(renewal, clock, usual)
    assert (again.version, made) == (first.version, [usual])
    add(stored(usual), "complete", 0.99, **ran(9))
    later = looked(renewal, clock, usual)
    assert later.version != first.version
    assert made == [usual, usual]
    assert "7 trials done" in later.line


def test_an_epoch_that_is_reported_is_news(usual, renewal, clock, made):
    trial = create("s").ask()
    first = looked(renewal, clock, "s")
    trial.report(0.5, 1)
    assert looked(renewal, clock, "s").version != first.version


def test_nobody_looks_and_nothing_is_made(usual, renewal, clock, made):
    looked(renewal, clock, usual)
    add(stored(usual), "complete", 0.99, **ran(9))
    clock.now += LOOKED_AT
    assert not renewal.step()
    assert made == [usual]


def test_what_took_long_to_make_rests_longer_and_says_meanwhile_how_far_the_study_is(
    usual, renewal, clock, monkeypatch, made
):
    real = pages.study_report

    def slow(record):
        clock.now += 60
        return real(record)

    monkeypatch.setattr(pages, "study_report", slow)
    first = looked(renewal, clock, usual)
    add(stored(usual), "complete", 0.99, **ran(9))
    clock.now += REST * 60 - 3 * LOOK
    shown = looked(renewal, clock, usual)
    assert made == [usual]
    assert shown.version == first.version
    assert shown.line.startswith(f"{first.age}. By now 7 trials done, 1 running; the page is made")
    clock.now += 3 * LOOK
    later = looked(renewal, clock, usual)
    assert made == [usual, usual]
    assert later.line == later.age


def test_a_study_that_is_slow_to_read_is_looked_at_less_often(usual, renewal, clock, monkeypatch):
    looked(renewal, clock, usual)
    real = pages.of_storage

    def slow(*arguments):
        clock.now += 10
        return real(*arguments)

    monkeypatch.setattr(pages, "of_storage", slow)
    clock.now += LOOK
    renewal.shown(usual)
    assert renewal.step()
    clock.now += REST * 10 - 1
    renewal.shown(usual)
    assert not renewal.step()
    clock.now += 2
    assert renewal.step()


def test_a_study_that_is_not_there_yet_is_waited_for(renewal, clock):
    shown = looked(renewal, clock, "s")
    assert "there is no file studies.log" in shown.sent
    assert "This page waits for it" in shown.sent
    create("other")
    shown = looked(renewal, clock, "s")
    assert "study=s is not in journal:///studies.log; it has other. This page waits" in shown.sent
    create("s")
    shown = looked(renewal, clock, "s")
    assert "0 rows" in shown.sent
    assert "waits" not in shown.sent


def test_a_deleted_study_leaves_its_last_page_and_says_so(usual, renewal, clock):
    before = looked(renewal, clock, usual)
    optuna.delete_study(study_name=usual, storage=open_storage(ADDRESS).optuna)
    shown = looked(renewal, clock, usual)
    assert shown.trouble
    assert shown.version == before.version
    assert f"Since then: study={usual} is not in journal:///studies.log; it has none" in shown.line
    assert looked(renewal, clock, usual).line.count("Since then") == 1
    create(usual)
    assert not looked(renewal, clock, usual).trouble


def test_a_storage_that_is_gone_and_comes_back_is_trouble_only_meanwhile(usual, renewal, clock):
    looked(renewal, clock, usual)
    Path("studies.log").rename("away.db")
    shown = looked(renewal, clock, usual)
    assert shown.trouble
    assert "there is no file studies.log" in shown.line
    Path("away.db").rename("studies.log")
    assert not looked(renewal, clock, usual).trouble


def test_other_peoples_values_are_one_line_and_the_other_pages_go_on(
    usual, renewal, clock, monkeypatch
):
    create("theirs")
    real = pages.entry_of

    def entry_of(study, *given):
        if study.study_name == "theirs":
            raise ValueError("<script>alert(1)</script>")
        return real(study, *given)

    monkeypatch.setattr("mnist_sweep.report.live.pages.entry_of", entry_of)
    monkeypatch.setattr("mnist_sweep.studies.listing.entry_of", entry_of)
    shown = looked(renewal, clock, "theirs")
    assert "This cannot be shown" in shown.sent
    assert "ValueError" in shown.sent
    assert "6 trials done" in looked(renewal, clock, usual).line
    listed = looked(renewal, clock, None).sent
    assert "unreadable" in listed
    assert "alert(1)</script>" not in listed + shown.sent


def test_the_list_has_a_line_a_study_and_leads_to_its_page(usual, renewal, clock):
    name = '../<b>"a b"&\N{SNOWMAN}'
    add(create(name), "complete", 0.5)
    text = looked(renewal, clock, None).sent
    assert 'href="/study?name=usual"' in text
    assert 'href="/study?name=..%2F%3Cb%3E%22a%20b%22%26%E2%98%83"' in text
    assert "<b>" not in text
    assert "as of " in text
    version = looked(renewal, clock, None).version
    add(stored(usual), "complete", 0.99, **ran(9))
    assert looked(renewal, clock, None).version != version


def test_what_is_said_of_a_page_is_no_markup(usual, renewal, clock, monkeypatch):
    def broken(record):
        raise RuntimeError("<img src=x onerror=alert(1)>")

    monkeypatch.setattr(pages, "study_report", broken)
    shown = looked(renewal, clock, usual)
    assert "<img" not in shown.sent
    assert "&lt;img" in shown.sent
    assert json.dumps(shown.line)


def test_pages_that_nobody_looks_at_are_dropped(usual, renewal, clock):
    for number in range(5):
        renewal.shown(f"no such study {number}")
    clock.now += module.FORGOTTEN + 1
    looked(renewal, clock, usual)
    assert list(renewal.pages) == [usual]


def test_a_confirmation_is_news(usual, renewal, clock, made):
    looked(renewal, clock, usual)
    folder = Path("multirun/usual/confirmation")
    folder.mkdir(parents=True)
    (folder / "confirmation.json").write_text("{}")
    looked(renewal, clock, usual)
    assert made == [usual, usual]
