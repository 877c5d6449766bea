"""A study's figures as plain data: every seed's value, and all that is needed to get it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnist_sweep.confirm.conclusion import FILE, Conclusion, Standing, read_conclusion
from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.confirm.race import Dropped
from mnist_sweep.errors import UserError
from mnist_sweep.files import replacing, writing
from mnist_sweep.recorded_config import load_recorded
from mnist_sweep.report.arms import Arm, MissingSeeds, arms, differences, missing_seeds
from mnist_sweep.results.provenance import command, in_common, result_of, settings_of
from mnist_sweep.sweep.study_record import StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted

SCHEMA = 1  # of the file; a later one says how it differs in docs/report.md
OF_CONCLUSION = ("data", "images", "ranked_by", "level", "margin", "default", "missing")
OF_STANDING = ("val_acc", "val_loss", "test_acc", "optimism", "dropped")
OF_SEED = ("val_acc", "val_loss", "best_epoch", "seconds")


class ResultsError(UserError):
    """A study that has no figures to write down."""


def of_arms(record: StudyRecord) -> dict[str, Any]:
    """Return the figures of a search that has the seed as an axis.

    `arms`: the best mean first; of each its `settings`, the first objective of every seed, their
    mean with its 95% interval, and how far the first is above it in pairs of seeds (intervals that
    hold together). `runs`: what the runs have in common; a value that differs is a list of all.
    `seconds`: of training, all runs added up. `failed` and `pruned`: the seeds that have no value,
    and are in no mean, by configuration.

    Raises ResultsError where there are no two configurations with two seeds each.
    """
    if len(record.directions) > 1:
        raise ResultsError(
            f"study {record.name} has the objectives {', '.join(record.objectives)}, and a mean "
            "over seeds is of one: search with a single objective"
        )
    found = arms(record)
    failed = missing_seeds(record, TrialStatus.FAILED)
    pruned = missing_seeds(record, TrialStatus.PRUNED)
    if len(found) < 2:
        why = "".join(f"; {each.sentence}" for each in [*failed, *pruned])
        have = counted(len(found), "configuration") if found else "no configurations"
        raise ResultsError(
            f"study {record.name} has {have} with two seeds that are done, and needs two{why}. "
            "Search with the seed as an axis, as search=ablation/batch_size does, to the end"
        )
    return {
        "schema": SCHEMA,
        "kind": "arms",
        "study": record.name,
        "command": command(record),
        "objective": record.objectives[0],
        "direction": record.directions[0],
        "trials": {str(status): count for status, count in sorted(record.counts.items())},
        "seconds": round(record.seconds, 1) or None,  # another application records none
        "runs": in_common(
            result_of(row.attributes.get("run_directory")) for row in record.rows if row.values
        ),
        "arms": _arms(record, found),
        "failed": [_seeds(each) for each in failed],
        "pruned": [_seeds(each) for each in pruned],
    }


def _seeds(missing: MissingSeeds) -> dict[str, Any]:
    return {"settings": dict(missing.settings), "seeds": list(missing.seeds)}


def _arms(record: StudyRecord, found: Sequence[Arm]) -> list[dict[str, Any]]:
    return [
        {
            "settings": dict(arm.settings),
            "values": {str(seed): arm.values[seed] for seed in sorted(arm.values)},
            **asdict(arm.interval),
            "first_is_above_by": None if difference is None else asdict(difference),
        }
        for arm, difference in zip(found, [None, *differences(record, found)], strict=True)
    ]


def of_confirmation(folder: Path, record: StudyRecord | None = None) -> dict[str, Any]:
    """Return the figures of a confirmation, and of the search that it followed.

    `configurations`: in the conclusion's order; of each its `settings`, size and the figures of
    every seed, with their means and 95% intervals over other seeds and images, or with whom and
    when the race `dropped` it. `comparisons`: how far the first is above each other on test images.
    `search`: of the study, None where there was none. `runs`: what the runs have in common.

    Raises ResultsError where there is no conclusion, where it is not of the study, or where runs
    that it speaks of are not here.
    """
    if not (folder / FILE).is_file():
        raise ResultsError(f"{folder} has no {FILE}: confirm the study to its end first")
    conclusion = read_conclusion(folder)
    if record is not None:
        _check_is_of(record, folder, conclusion)
    found = [(standing, _results(folder, standing)) for standing in conclusion.standings]
    results = [result for _, of_seeds in found for result in of_seeds.values()]
    return {
        "schema": SCHEMA,
        "kind": "confirmation",
        "study": record.name if record else None,
        "search": _search(record) if record else None,
        **{name: getattr(conclusion, name) for name in OF_CONCLUSION},
        "seconds": round(sum(result["seconds"] for result in results), 1),
        "runs": in_common(results),
        "configurations": [_configuration(folder, *each) for each in found],
        "comparisons": [asdict(each) for each in conclusion.comparisons],
    }


def _check_is_of(record: StudyRecord, folder: Path, conclusion: Conclusion) -> None:
    """Raise ResultsError where none of a conclusion's configurations is a trial of the study."""
    trials = {f"trial {row.number}": row.attributes.get("parameters") for row in record.rows}
    if not any(trials.get(each.title) == each.parameters for each in conclusion.standings):
        titles = ", ".join(standing.title for standing in conclusion.standings)
        raise ResultsError(
            f"{folder} is no confirmation of study {record.name}, none of whose trials it has "
            f"({titles}): leave study={record.name} out, or name its own with confirmation="
        )


def _search(record: StudyRecord) -> dict[str, Any]:
    """Return what a search was, and what it took; `epochs` are of its trials."""
    ran = [row for row in record.rows if row.values]
    return {
        "command": command(record),
        "objective": record.objectives[0],
        "budget": record.budget,
        "trials": {str(status): count for status, count in sorted(record.counts.items())},
        "epochs_trained": record.epochs_trained,
        "epochs_saved": record.epochs_saved,
        "seconds": round(record.seconds, 1),
        "runs": in_common(result_of(row.attributes.get("run_directory")) for row in ran),
    }


def _results(folder: Path, standing: Standing) -> dict[int, Mapping[str, Any]]:
    """Return what a configuration's runs have recorded, by seed. Raises ResultsError."""
    found: dict[int, Mapping[str, Any]] = {}
    for seed in standing.seeds:
        home = _home(folder, standing, seed)
        result = result_of(home)
        if result is None:
            raise ResultsError(
                f"{home} has no result.json, but its figures are in the conclusion: write "
                "the figures down where the runs are"
            )
        found[seed] = result
    return found


def _configuration(
    folder: Path, standing: Standing, results: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a configuration with the figures of its seeds."""
    first = standing.seeds[0]
    recorded = load_recorded(str(_home(folder, standing, first)), "study")
    tested = dict(zip(standing.seeds, standing.accuracies, strict=False))
    return {
        "title": standing.title,
        "model": standing.model,
        "parameters": standing.parameters,
        "multiply_adds": results[first].get("multiply_adds"),
        "widths": results[first].get("widths"),
        "epochs": standing.epochs,
        "settings": settings_of(recorded),
        "searched": standing.searched,
        "seeds": {
            str(seed): {
                **{name: result[name] for name in OF_SEED if name in result},
                "test_acc": tested.get(seed),
            }
            for seed, result in results.items()
        },
        "diverged": standing.diverged,
        **{name: _plain(getattr(standing, name)) for name in OF_STANDING},
    }


def _home(folder: Path, standing: Standing, seed: int) -> Path:
    return folder / standing.folder / str(seed)


def _plain(value: Interval | Dropped | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def write(summary: Mapping[str, Any], path: Path) -> None:
    """Write a summary as JSON. Raises FileError."""
    with writing("to", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(
                json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8"
            )
