"""Which settings matter, and which of the best lie at an end of what was searched."""

import math
import warnings
from functools import lru_cache

import optuna
from optuna.distributions import FloatDistribution, IntDistribution

from mnist_sweep.report.reading import StudyRecord
from mnist_sweep.text import one_line

FEWEST = 10  # complete trials: of fewer, importances are mostly chance
NEAR = 0.05  # of a range, on its own scale


@lru_cache(maxsize=1)  # the text and the bars ask for the same
def importances(record: StudyRecord) -> tuple[dict[str, float], str | None]:
    """Return each setting's share of the first objective's variance, most first, and a caveat.

    By Optuna's default evaluator. Where nothing can be said, the caveat says why.
    """
    complete = sum(bool(row.values) for row in record.rows)
    if complete < 2:
        return {}, "fewer than two trials are complete"
    target = None if len(record.directions) == 1 else (lambda trial: trial.values[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(record.study, target=target)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        return {}, one_line(error)
    if not found or not all(math.isfinite(share) for share in found.values()):
        return {}, "no setting was searched in all complete trials"
    caveat = f"only {complete} trials are complete: mostly chance" if complete < FEWEST else None
    return {name: float(share) for name, share in found.items()}, caveat


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
                    f"{among.low:g} to {among.high:g}: better may lie beyond"
                )
    return list(found.values())


def _end(among: FloatDistribution | IntDistribution, at: float) -> str | None:
    low, high = float(among.low), float(among.high)
    if low == high:
        return None
    if among.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    position = (at - low) / (high - low)
    if position <= NEAR:
        return "lower"
    return "upper" if position >= 1 - NEAR else None
