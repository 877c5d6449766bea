"""The report on one study, made: for its files, and for its live page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mnist_sweep.confirm.conclusion import FILE, Conclusion, confirmations, read_conclusion
from mnist_sweep.report.blocks import Picture, Section
from mnist_sweep.report.charts import charts
from mnist_sweep.report.content import sections
from mnist_sweep.report.network import best_network
from mnist_sweep.report.trial_data import trial_data
from mnist_sweep.sweep.study_record import StudyRecord


@dataclass(frozen=True)
class StudyReport:
    """A report's sections, the figures in them by name, and its trials for the page's script.

    `missing`: why there are no pictures of the best network; None where there are, or can be none.
    """

    sections: Sequence[Section]
    figures: Mapping[str, Figure]
    trials: Mapping[str, Any]
    missing: str | None


def study_report(record: StudyRecord) -> StudyReport:
    """Make the report on a study, with what a confirmation has left in its folders."""
    confirmed = _confirmed(record.homes)
    drawn: dict[str, tuple[Picture, Figure]] = charts(record, confirmed)
    pictures, missing = best_network(record) if record.ours else ({}, None)
    drawn |= pictures
    content = sections(record, [picture for picture, _ in drawn.values()], confirmed)
    figures = {name: figure for name, (_, figure) in drawn.items()}
    return StudyReport(content, figures, trial_data(record), missing)


def _confirmed(folders: Iterable[Path]) -> list[Conclusion]:
    """Return a study's confirmations: that of most test images first, of as many the newest."""
    found = sorted(confirmations(folders), key=lambda folder: -(folder / FILE).stat().st_mtime_ns)
    return sorted(map(read_conclusion, found), key=lambda each: -each.images)
