"""A search that has the seed as an axis: what each configuration is worth over its seeds.

Differences are in pairs of equal seeds, as in a confirmation, but on the validation images: their
intervals hold for other seeds on these images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_sweep.confirm import wording
from mnist_sweep.confirm.intervals import Interval, in_pairs, over_seeds, shared_level
from mnist_sweep.confirm.seed_axis import FEWEST, configurations, without_a_value
from mnist_sweep.report.blocks import Block, Note, Table
from mnist_sweep.report.names import short_names, short_value
from mnist_sweep.report.noise import judged
from mnist_sweep.report.objective_values import in_percent
from mnist_sweep.report.ranking import ranked
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.study_store import SEED
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.text import counted

MOST_IMAGES = 60_000  # as many as MNIST has to train and validate with


@dataclass(frozen=True)
class Arm:
    """One configuration, `settings` without the seed, with the first objective of each seed.

    What follows a searched setting is among its settings (`hydra.sweeper.zip`). `pruned`: the seeds
    that the pruner stopped, which were worse: without them the mean is too good.
    """

    settings: Mapping[str, Any]
    values: Mapping[Any, float]
    pruned: Sequence[Any] = ()

    @property
    def interval(self) -> Interval:
        """The mean over the seeds, with its 95% interval."""
        return over_seeds(list(self.values.values()))


def arms(record: StudyRecord) -> list[Arm]:
    """Return the configurations with two seeds or more, the best mean first.

    Those of which seeds were pruned come after all others. Empty where the seed is no axis of the
    search, or it has several objectives.
    """
    return [
        Arm(each.settings, each.values, each.pruned)
        for each in configurations(record)
        if len(each.rows) >= FEWEST
    ]


@dataclass(frozen=True)
class MissingSeeds:
    """A configuration, `settings` without the seed, and its seeds that ended without a value.

    `how`: the status that their trials have, failed (as diverged) or pruned.
    """

    settings: Mapping[str, Any]
    seeds: Sequence[Any]
    how: str = TrialStatus.FAILED

    @property
    def sentence(self) -> str:
        """Which they are, as text."""
        which = ", ".join(str(seed) for seed in self.seeds)
        happened = "was pruned" if self.how == TrialStatus.PRUNED else "failed"
        seeds = "seed" if len(self.seeds) == 1 else "seeds"
        return f"{called(self)} {happened} with {seeds} {which}"


def missing_seeds(record: StudyRecord, how: TrialStatus) -> list[MissingSeeds]:
    """Return the configurations of which a seed ended so, and was not run again with success.

    `how`: FAILED or PRUNED. In the order of their first trials; empty where the seed is no axis of
    the search.
    """
    if SEED not in record.searched:
        return []
    return [
        MissingSeeds(settings, seeds, str(how)) for settings, seeds in without_a_value(record, how)
    ]


def leader(record: StudyRecord) -> Row | None:
    """Return the best run of the configuration with the best mean; None where there are no arms."""
    found = arms(record)
    if len(found) < 2:
        return None
    best = next(each for each in configurations(record) if each.settings == found[0].settings)
    return next(row for row in ranked(record) if row in best.rows.values())


def differences(record: StudyRecord, found: Sequence[Arm]) -> list[Interval | None]:
    """Return how far the first is above each other, in pairs of seeds; None with too few pairs.

    None too where seeds of either were pruned. The intervals hold together at 95% (Bonferroni), for
    all pairs of arms: the seeds that are compared have also chosen which is the first.
    """
    first, *others = found
    level = shared_level(len(found) * (len(found) - 1) // 2)
    step = 1 / _images(record, found) if in_percent(record) else 0.0
    return [
        None if first.pruned or other.pruned else in_pairs(first.values, other.values, level, step)
        for other in others
    ]


def _images(record: StudyRecord, found: Sequence[Arm]) -> int:
    """Return of how many images accuracies are; where nothing has that, the fewest that they fit.

    With fewer images less is certain.
    """
    known = judged(record)
    if known is not None:
        return known.images
    values = np.array([value for arm in found for value in arm.values.values()])
    counts = np.arange(1, MOST_IMAGES + 1)[:, None]
    fits = (np.abs(values * counts - np.round(values * counts)) < 1e-6).all(1)
    return int(counts[fits.argmax(), 0]) if fits.any() else MOST_IMAGES


def over_their_seeds(record: StudyRecord) -> list[Block]:
    """Return the table of the arms, and what it says; nothing where there are fewer than two."""
    found = arms(record)
    if len(found) < 2:
        return []
    names = list(dict.fromkeys(name for arm in found for name in arm.settings))
    objective = record.objectives[0]
    others = differences(record, found)
    percent = in_percent(record)
    cells = [
        (
            *(short_value(arm.settings.get(name, "")) for name in names),
            str(len(arm.values)),
            _around(arm.interval, percent),
            "" if difference is None else _apart(difference, percent),
        )
        for arm, difference in zip(found, [None, *others], strict=True)
    ]
    header = (*names, "seeds", f"mean {objective}", "the first is higher by")
    return [
        Table(header, cells, short=short_names(names)),
        Note(
            "Means over seeds with 95% intervals (Student's t). Differences are in pairs of equal "
            "seeds, and their intervals hold together; they are of other seeds on the same "
            f"{'validation images' if record.ours else 'data'}. {' '.join(verdicts(record))}"
        ),
        *_failures(record),
    ]


def _failures(record: StudyRecord) -> Iterator[Note]:
    missing = [
        each
        for how in (TrialStatus.FAILED, TrialStatus.PRUNED)
        for each in missing_seeds(record, how)
    ]
    if missing:
        said = "; ".join(each.sentence for each in missing)
        yield Note(f"Without a value, and in no mean: {said}.")


def verdicts(record: StudyRecord) -> Iterator[str]:
    """Say which arms the first is better than, and which cannot be told from it."""
    found = arms(record)
    if len(found) < 2:
        return
    wanted = -1 if record.directions[0] == "minimize" else 1
    by_sign: dict[int, list[str]] = {wanted: [], 0: [], -wanted: []}
    for arm, difference in zip(found[1:], differences(record, found), strict=True):
        if not (found[0].pruned or arm.pruned):
            by_sign[difference.sign if difference else 0].append(called(arm))
    for sign, said in (
        (wanted, "is better than"),
        (0, "cannot be told from"),
        (-wanted, "has the best mean, but with the seeds that both have it is worse than"),
    ):
        if by_sign[sign]:
            yield f"{called(found[0])} {said} {', '.join(by_sign[sign])}."
    if pruned := [called(arm) for arm in found if arm.pruned]:
        yield (
            f"{', '.join(pruned)}: seeds were pruned, so the mean of the others is too good, and "
            "is compared with none. Search seeds with hydra/sweeper/pruner=none."
        )


def called(arm: Arm | MissingSeeds) -> str:
    """Return what an arm is called: its settings."""
    short = short_names(list(arm.settings))
    return " ".join(f"{short[name]}={short_value(value)}" for name, value in arm.settings.items())


def headline(record: StudyRecord) -> str | None:
    """Return the sentence that answers a search over seeds; None where it has no two arms."""
    found = arms(record)
    if len(found) < 2:
        return None
    first = found[0]
    seeds = counted(len(first.values), "seed")
    if first.pruned:
        return (
            f"None of {len(found)} configurations can be said to be the best: of each, seeds were "
            "pruned."
        )
    value = _around(first.interval, in_percent(record))
    return (
        f"The best of {len(found)} configurations is {called(first)}: {record.objectives[0]} "
        f"{value}, the mean of {seeds} and its 95% interval."
    )


def _around(interval: Interval, percent: bool) -> str:
    if percent:
        return wording.percent(interval)
    return f"{interval.mean:.5g} ± {interval.high - interval.mean:.2g}"


def _apart(interval: Interval, percent: bool) -> str:
    if percent:
        return wording.difference(interval, " points")
    return f"{interval.mean:+.4g} ({interval.low:+.4g} to {interval.high:+.4g})"
