"""A study's figures as plain data: every seed's value, and all that is needed to get it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnist_sweep.confirm.default import DRAWN
from mnist_sweep.errors import UserError
from mnist_sweep.files import replacing, writing
from mnist_sweep.report.arms import Arm, arms, differences
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.study_record import StudyRecord

SCHEMA = 1  # of the file; a later one says how it differs in docs/results.md
# What all runs of a study are said to have in common, from their results.
PLACES = ("data.root",)  # settings that are of one machine
COMMON = ("data", "device", "processor", "threads", "precision", "max_epochs", "versions")


class ResultsError(UserError):
    """A study that has no figures to write down."""


def of_arms(record: StudyRecord) -> dict[str, Any]:
    """Return the figures of a search that has the seed as an axis.

    `arms`: the best mean first; of each its `settings`, the first objective of every seed, their
    mean with its 95% interval, and how far the first is above it in pairs of seeds (intervals that
    hold together). `runs`: what the runs have in common; a value that differs is a list of all.
    `seconds`: of training, all runs added up.

    Raises ResultsError where there are no two configurations with two seeds each.
    """
    found = arms(record)
    if len(found) < 2:
        raise ResultsError(
            f"study {record.name} has no two configurations with two seeds each: search with the "
            "seed as an axis, as search=ablation/batch_size does"
        )
    return {
        "schema": SCHEMA,
        "kind": "arms",
        "study": record.name,
        "command": _command(record),
        "objective": record.objectives[0],
        "direction": record.directions[0],
        "trials": {str(status): count for status, count in sorted(record.counts.items())},
        "seconds": round(record.seconds, 1),
        "runs": _common(record),
        "arms": _arms(found),
    }


def _command(record: StudyRecord) -> str | None:
    """Return the line that searches the same; None where it is not known how."""
    if record.program is None:
        return None
    settings = (record.definition.get("search") or {}).get("settings") or {}
    fixed = [
        f"{name}={value}"
        for name, value in settings.items()
        if not DRAWN.match(str(value)) and name not in PLACES
    ]
    return record.program.command(["-m", *fixed])


def _arms(found: Sequence[Arm]) -> list[dict[str, Any]]:
    return [
        {
            "settings": dict(arm.settings),
            "values": {str(seed): arm.values[seed] for seed in sorted(arm.values)},
            **asdict(arm.interval),
            "first_is_above_by": None if difference is None else asdict(difference),
        }
        for arm, difference in zip(found, [None, *differences(found)], strict=True)
    ]


def _common(record: StudyRecord) -> dict[str, Any]:
    """Return what the complete runs that are here have recorded of themselves."""
    results = [
        result
        for row in record.rows
        if row.values and (result := _result(row.attributes.get("run_directory"))) is not None
    ]
    found: dict[str, Any] = {"read": len(results)}
    for name in COMMON:
        values: list[Any] = []
        for result in results:
            value = _without_place(result.get(name))
            if value is not None and value not in values:
                values.append(value)
        if values:
            found[name] = values[0] if len(values) == 1 else values
    return found


def _without_place(value: Any) -> Any:
    """Return a value without why its data were taken, which says where they lie."""
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != "reason"}
    return value


def _result(directory: Any) -> Mapping[str, Any] | None:
    try:
        return RunDirectory(Path(directory)).read_result() if directory else None
    except (OSError, RecordError):
        return None


def write(summary: Mapping[str, Any], path: Path) -> None:
    """Write a summary as JSON. Raises FileError."""
    with writing("to", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
