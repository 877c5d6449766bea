"""Which settings matter, and which of the best lie at an end of what was searched."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mnist_sweep.report.effects import Effects, effects, unit
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted

# Too little to tell: fewer trials than these, in all and for each setting that all of them have;
# or values that the others do not predict.
FEWEST, A_SETTING = 10, 3
SKILL, DEVIATIONS = 0.5, 2.5
MOST = 300  # trials that are evaluated: the time grows with their third power
NEAR = 0.05  # of a range, on its own scale
JUDGED = (TrialStatus.COMPLETE, TrialStatus.PRUNED)


@dataclass(frozen=True)
class Part:
    """The trials that have a conditional setting, and its share of the variance among them."""

    setting: str
    trials: int
    share: float


@dataclass(frozen=True)
class Importance:
    """What decides an objective: of its variance over `trials`, what each setting makes alone.

    `of`: how many trials there were, of which `trials` were drawn where they are more than MOST.
    `at`: when it was measured. `shares`: of the settings that all those trials have, most first;
    `together`: what is left, where settings act together. `parts`: of conditional settings;
    `unknown`: those of which too few trials, or nothing but noise, are there.
    `why_not`: why there are no shares, in words.
    """

    objective: str
    at: str
    trials: int
    of: int
    shares: dict[str, float] = field(default_factory=dict)
    together: float = 0.0
    skill: float = 0.0
    parts: Sequence[Part] = ()
    unknown: Sequence[str] = ()
    why_not: str | None = None


@dataclass(frozen=True)
class Measured:
    """Trials with their values of one objective, and when those were measured; drawn `of` all."""

    rows: Sequence[Row]
    values: Sequence[float]
    at: str
    of: Sequence[Row]


def importances(record: StudyRecord) -> list[Importance]:
    """Return what decides each objective, by all trials that have run, pruned ones too.

    Pruned trials are where the bad choices are: without them nothing seems to matter. So trials
    are compared at the last epoch that all of them reached.
    """
    return _importances(record)


@lru_cache(maxsize=1)  # the text and the bars ask for the same
def _importances(record: StudyRecord) -> list[Importance]:
    numbers = range(len(record.objectives))
    return [_importance(record, number, measured(record, number)) for number in numbers]


def measured(record: StudyRecord, objective: int) -> Measured:
    """Return the trials that can be compared by an objective, and their values.

    Of more than MOST, so many that are drawn: all that is said is of these.
    """
    complete = [row for row in record.rows if row.values and math.isfinite(row.values[objective])]
    final = _drawn(complete, [row.values[objective] for row in complete], "when done")
    pruned = [row for row in record.rows if row.status == TrialStatus.PRUNED]
    if len(record.objectives) > 1 or not pruned:
        return final
    judged = [row for row in record.rows if row.status in JUDGED and row.curve]
    common = set.intersection(*(set(row.curve) for row in judged)) if judged else set()
    if not common:
        return final
    step = max(common)
    # What failed, or still runs, counts from when it has got as far.
    rows = [row for row in record.rows if step in row.curve and row.status != TrialStatus.REJECTED]
    rows = [row for row in rows if math.isfinite(row.curve[step])]
    return _drawn(rows, [row.curve[step] for row in rows], f"after {record.step} {step}")


def _drawn(rows: Sequence[Row], values: Sequence[float], at: str) -> Measured:
    """Return trials that can be compared, of many the same MOST each time."""
    chosen = list(range(len(rows)))
    if len(rows) > MOST:
        chosen = sorted(random.Random(0).sample(chosen, MOST))
    return Measured([rows[n] for n in chosen], [values[n] for n in chosen], at, rows)


def _importance(record: StudyRecord, number: int, found: Measured) -> Importance:
    objective = record.objectives[number]
    trials, at, of = len(found.rows), found.at, len(found.of)
    ranges = _ranges(record, found.rows)
    why_not = _too_little(found, ranges)
    if why_not:
        return Importance(objective, at, trials, of, why_not=why_not)
    result = _effects(found, ranges)
    if not _tells(result.skill, trials):
        why_not = "their settings predict it no better than chance"
        return Importance(objective, at, trials, of, skill=result.skill, why_not=why_not)
    shares = dict(sorted(result.alone.items(), key=lambda item: -item[1]))
    parts, unknown = [], []
    varied = _ranges(record, found.of).keys()  # also what none of the drawn have
    for name in varied - shares.keys():
        having = sum(name in row.settings for row in found.rows)
        within = result.within.get(name)
        if within and having >= FEWEST and _tells(within.skill, having):
            parts.append(Part(name, having, within.share))
        else:
            unknown.append(f"{name} ({counted(having, 'trial')})")
    parts.sort(key=lambda part: -part.share)
    together = max(0.0, 1.0 - sum(shares.values()))
    return Importance(
        objective, at, trials, of, shares, together, result.skill, parts, sorted(unknown)
    )


def _effects(found: Measured, ranges: Mapping[str, BaseDistribution]) -> Effects:
    settings = [row.settings for row in found.rows]
    places = [{n: unit(a, each[n]) for n, a in ranges.items() if n in each} for each in settings]
    sizes = {
        name: len(among.choices) if isinstance(among, CategoricalDistribution) else 0
        for name, among in ranges.items()
    }
    return effects(places, found.values, sizes)


def _ranges(record: StudyRecord, rows: Sequence[Row]) -> dict[str, BaseDistribution]:
    """Return what the trials differ in, by name, each with the range of all of them."""
    return {name: among for name, among in record.searched.items() if _varies(rows, name)}


def _varies(rows: Sequence[Row], name: str) -> bool:
    return len({repr(row.settings[name]) for row in rows if name in row.settings}) > 1


def _too_little(found: Measured, ranges: Mapping[str, BaseDistribution]) -> str | None:
    """Say why there is too little to evaluate; None where there is enough."""
    count = len(found.rows)
    common = [name for name in ranges if all(name in row.settings for row in found.rows)]
    if count < FEWEST:
        return f"at least {FEWEST} trials that can be compared are needed"
    if not common:
        return "no setting was searched in all of them"
    if count < A_SETTING * len(common):
        return f"too few for {counted(len(common), 'setting')}"
    if max(found.values) == min(found.values):
        return "all of them have the same value"
    return None


def _tells(skill: float, trials: int) -> bool:
    """Whether a correlation is large, and far more than chance makes of so many trials."""
    if skill < SKILL:  # down to -1, of which atanh is not finite
        return False
    return math.atanh(min(skill, 0.9999)) * math.sqrt(trials - 3) >= DEVIATIONS


def at_the_ends(record: StudyRecord, top: int = 3) -> list[str]:
    """Say which settings of the best trials lie at an end of their range, and which end."""
    found: dict[str, str] = {}
    searched = record.searched
    for row in record.best[:top]:
        for name, value in row.settings.items():
            among = searched[name]
            if name in found or not isinstance(among, FloatDistribution | IntDistribution):
                continue
            if end := _end(among, float(value)):
                found[name] = (
                    f"{name}={value:.4g} of trial {row.number} is near the {end} end of "
                    f"{among.low:g} to {among.high:g}: better values may lie beyond"
                )
    return list(found.values())


def _end(among: FloatDistribution | IntDistribution, at: float) -> str | None:
    if among.single():
        return None
    position = unit(among, at)
    if position <= NEAR:
        return "lower"
    return "upper" if position >= 1 - NEAR else None
