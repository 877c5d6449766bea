"""The configurations of a search that has the seed as an axis, each with its trials by seed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_sweep.confirm.intervals import over_seeds
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.study_store import SEED
from mnist_sweep.sweep.trials.status import TrialStatus

FEWEST = 2  # seeds that a mean is of


def has_seeds(record: StudyRecord) -> bool:
    """Whether a study searched the seed, and for one objective, so that a mean has an order."""
    return SEED in record.searched and len(record.directions) == 1


@dataclass(frozen=True)
class Configuration:
    """One configuration, `settings` without the seed; `rows`: of each seed its best trial.

    `pruned`: the seeds that the pruner stopped, which were worse: without them the mean is too
    good.
    """

    settings: Mapping[str, Any]
    rows: Mapping[Any, Row]
    pruned: Sequence[Any] = ()

    @property
    def values(self) -> dict[Any, float]:
        """The first objective of each seed."""
        return {seed: row.values[0] for seed, row in self.rows.items()}

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        values = list(self.values.values())
        return over_seeds(values).mean if len(values) >= FEWEST else values[0]


def configurations(record: StudyRecord) -> list[Configuration]:
    """Return the configurations that have a value, the best mean first.

    Those of one seed, and then those of which seeds were pruned, come after all others. Empty where
    the seed is no axis of the search, or it has several objectives.
    """
    if not has_seeds(record):
        return []
    best_last = by_seed(record, with_a_value(record.best[::-1]))  # of two, the better one
    pruned = without_a_value(record, TrialStatus.PRUNED)
    found = [
        Configuration(
            settings,
            {seed: runs[-1] for seed, runs in of_seed.items()},
            next((seeds for other, seeds in pruned if other == settings), ()),
        )
        for settings, of_seed in best_last
    ]
    sign = 1 if record.directions[0] == "minimize" else -1
    return sorted(
        found, key=lambda each: (bool(each.pruned), len(each.rows) < FEWEST, sign * each.mean)
    )


def by_seed(
    record: StudyRecord, rows: Iterable[Row]
) -> list[tuple[dict[str, Any], dict[Any, list[Row]]]]:
    """Return the configurations, each with its rows by seed, in the order of the rows.

    What follows a searched setting is among a configuration's settings (`hydra.sweeper.zip`).
    """
    following = _following(record)
    found: dict[tuple[tuple[str, str], ...], tuple[dict[str, Any], dict[Any, list[Row]]]] = {}
    for row in rows:
        if SEED not in row.settings:
            continue
        settings = _without_seed(row, following)
        key = tuple((name, repr(value)) for name, value in sorted(settings.items()))
        found.setdefault(key, (settings, {}))[1].setdefault(row.settings[SEED], []).append(row)
    return list(found.values())


def without_a_value(
    record: StudyRecord, how: TrialStatus
) -> list[tuple[dict[str, Any], list[Any]]]:
    """Return the configurations of which a seed ended so, and was not run again with success.

    Each with those seeds. `how`: FAILED or PRUNED. In the order of their first trials.
    """
    ended = [row for row in record.rows if row.status in (how, TrialStatus.COMPLETE)]
    found = []
    for settings, of_seed in by_seed(record, ended):
        seeds = [
            seed
            for seed, runs in of_seed.items()
            if not with_a_value(row for row in runs if row.status == TrialStatus.COMPLETE)
        ]
        if seeds:
            found.append((settings, seeds))
    return found


def with_a_value(rows: Iterable[Row]) -> list[Row]:
    """Return the trials that can be in a mean: another application may answer infinity."""
    return [row for row in rows if row.values and math.isfinite(row.values[0])]


def _without_seed(row: Row, following: Sequence[str]) -> dict[str, Any]:
    """Return what a trial drew but for its seed, and what followed from that."""
    drawn = {name: value for name, value in row.settings.items() if name != SEED}
    given = dict(line.split("=", 1) for line in row.command if "=" in line)
    return drawn | {name: given[name] for name in following if name in given}


def _following(record: StudyRecord) -> list[str]:
    """Return the settings that searched ones decide, and that are not searched themselves."""
    conditional = (record.definition.get("search") or {}).get("conditional") or {}
    names = {
        name for branches in conditional.values() for inner in branches.values() for name in inner
    }
    return sorted(names - record.searched.keys())
