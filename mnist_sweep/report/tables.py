"""trials.csv: a row a trial, rejected ones too."""

import csv
from pathlib import Path
from typing import Any

from mnist_sweep.files import replacing
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.outcomes import NAMED, RECORDED
from mnist_sweep.text import visible

# Of a trial's attributes, in this order, those that are one number or one text.
ATTRIBUTES = (*RECORDED, "data", "run_directory")


def write_trials(record: StudyRecord, path: Path) -> None:
    """Write every trial's status, objectives, figures and settings; empty where it has none."""
    known = [
        name
        for name in ATTRIBUTES
        if (record.ours and name not in NAMED) or any(name in r.attributes for r in record.rows)
    ]
    settings = sorted({name for row in record.rows for name in row.settings})
    with replacing(path) as new, new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        objectives = [f"objective {name}" for name in record.objectives]
        times = ["began", "ended"]
        header = ["trial", "status", "reason", *objectives, *known, *times, *settings]
        writer.writerow(map(visible, header))
        for row in record.rows:
            values = row.values or [""] * len(objectives)
            attributes = [row.attributes.get(name, "") for name in known]
            chosen = [row.settings.get(name, "") for name in settings]
            start = [row.number, row.status, row.reason or ""]
            cells = [*start, *values, *attributes, *_times(row), *chosen]
            writer.writerow([visible(c) if isinstance(c, str) else c for c in cells])


def _times(row: Row) -> list[Any]:
    return [time.isoformat(timespec="seconds") if time else "" for time in (row.began, row.ended)]
