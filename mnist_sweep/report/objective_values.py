"""How a report writes a study's objectives, in words and along a chart's axis."""

from matplotlib.axis import Axis

from mnist_sweep.report.noise import judged
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.study_record import StudyRecord


def writer(record: StudyRecord) -> ObjectiveText:
    """Return the writer of a study's objectives: accuracies of our runs are in percent.

    With as many digits as the validation images allow, where a run is here to say how many.
    """
    found = _recognized(record)
    known = judged(record)
    if known is not None:
        found.images = known.images
    return found


def in_percent(record: StudyRecord) -> bool:
    """Whether the first objective is an accuracy of our runs, which people read in percent."""
    return _recognized(record).is_accuracy()


def _recognized(record: StudyRecord) -> ObjectiveText:
    found = ObjectiveText(record.objectives)
    for trial in record.study.get_trials(deepcopy=False):
        found.recognize(trial)
        if found.ours:
            break
    return found


def axis_label(record: StudyRecord) -> str:
    """Return what an axis of the first objective is called, with its unit."""
    return f"{record.objectives[0]} in %" if in_percent(record) else record.objectives[0]


def measure(axis: Axis, record: StudyRecord) -> None:
    """Have an axis measure the first objective, in percent where that is an accuracy.

    Such an axis ends at 100%: around a single value it would reach beyond.
    """
    axis.set_label_text(axis_label(record))
    if not in_percent(record):
        return
    axis.set_major_formatter(lambda value, _: f"{100 * value:.6g}")
    low, high = axis.get_view_interval()
    axis.set_view_interval(low, min(high, 1.0), ignore=True)
