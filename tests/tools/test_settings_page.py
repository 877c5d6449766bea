"""docs/settings.md."""

from dataclasses import fields

import pytest

from mnist_sweep.sweep.settings import Settings
from tools import settings_page

# Composes each option of each group: ten seconds.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page():
    return settings_page.page()


def test_the_committed_page_is_current(page):
    committed = settings_page.PAGE.read_text("utf-8")
    assert committed == page, "docs/settings.md is not what `make docs` writes: run that"


def test_every_setting_says_what_it_does(page):
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    # The last cell may be empty where the values say it all, as in "auto, cpu, cuda".
    silent = [
        row[0] for row in rows if len(row) == 4 and not row[3].strip(" |") and "," not in row[2]
    ]
    assert silent == []


def test_the_sweepers_settings_are_all_there(page):
    rows = page.partition("### sweeper\n")[2].partition("### sampler\n")[0]
    for field in fields(Settings):
        if field.name not in ("sampler", "pruner"):
            assert f"\n| `{field.name}` | " in rows
