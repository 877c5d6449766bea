"""What the validation images alone leave open, before anything is trained with fresh seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.confirm.intervals import Interval
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.sweep.proportion import wilson
from mnist_sweep.sweep.study_record import Row, StudyRecord
from mnist_sweep.sweep.trials.outcomes import validation_images
from mnist_sweep.sweep.trials.status import IMAGES
from mnist_sweep.text import percent


@dataclass(frozen=True)
class Judged:
    """Accuracies, fractions of the same `images` that were right."""

    images: int

    def interval(self, accuracy: float) -> Interval:
        """Return an accuracy with its 95% interval for other images, Wilson's."""
        return Interval(accuracy, *wilson(accuracy, self.images))

    def alike(self, best: float, other: float) -> bool:
        """Whether the images alone could have put one before the other.

        That is whether Newcombe's interval of the difference holds zero (his method 10, "Interval
        estimation for the difference between independent proportions", Statistics in Medicine 17,
        1998). It treats the two sets of images as independent; on the same images less of a
        difference can be enough, but the seed of each run then still speaks in it.
        """
        one, two = self.interval(best), self.interval(other)
        reach = math.hypot(one.mean - one.low, two.high - two.mean)
        return one.mean - two.mean <= reach

    def percent(self, accuracy: float) -> str:
        """Return an accuracy in percent, with the digits that the images allow."""
        return percent(accuracy, self.images)


def judged(record: StudyRecord) -> Judged | None:
    """Return by how many validation images trials were judged; None where no run is here to say."""
    for row in record.best:
        if (count := _images(row)) is not None:
            return Judged(count)
    return None


def _images(row: Row) -> int | None:
    recorded = row.attributes.get(IMAGES)
    if recorded:
        return int(recorded)
    directory = row.attributes.get("run_directory")
    try:
        result = RunDirectory(Path(directory)).read_result() if directory else None
    except (OSError, RecordError):
        return None
    return validation_images(result or {})


def accuracy(row: Row) -> float | None:
    """Return a trial's validation accuracy, a fraction; None where it has none."""
    found = row.attributes.get("val_acc")
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1:
        return float(found)
    return None


def alike(judged: Judged, best: Row, others: Sequence[Row]) -> list[Row]:
    """Return the trials that the images alone cannot tell from the best."""
    first = accuracy(best)
    if first is None:
        return []
    return [
        row for row in others if (found := accuracy(row)) is not None and judged.alike(first, found)
    ]
