"""A storage that changes while it is looked at."""

import pytest

from mnist_sweep.report.blocks import Note, Section
from mnist_sweep.report.live import pages
from mnist_sweep.report.live.renewal import Renewal
from mnist_sweep.report.study_report import StudyReport
from tests.clock import Clock
from tests.report.conftest import ADDRESS


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def renewal(clock):
    """A renewal whose steps are the test's to take."""
    return Renewal(ADDRESS, clock, clock)


@pytest.fixture
def made(monkeypatch):
    """The names of the studies whose page was made, in order: a page that is quickly made."""
    found = []

    def report(record):
        found.append(record.name)
        note = Note(f"{len(record.rows)} rows")
        return StudyReport([Section("The answer", [note], leads=True)], {}, {}, None)

    monkeypatch.setattr(pages, "study_report", report)
    return found
