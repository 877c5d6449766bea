"""From what was recorded of runs to the figures of the table."""

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

from benchmarks.soak.measured import Run

WINDOW = 50  # trials up to a mark that its figures are the mean of
HEAD = ("trials", "sampler: ours", "alone", "beyond it: ours", "alone", "ratio", "MB", "files")


def row(ours: Sequence[Run], alone: Sequence[Run], mark: int, before: int) -> list[str]:
    """Return the cells of `HEAD` at a run's trial `mark`, of a study that had some `before`.

    Medians over the repetitions; milliseconds of CPU time a trial.
    """
    beyonds = [[beyond(run, mark) for run in runs] for runs in (ours, alone)]
    ratios = [mine / other for mine, other in zip(*beyonds, strict=True)]
    samplers = (median(runs, lambda run: per_trial(run, mark, "sampler")) for runs in (ours, alone))
    figures = [f"{value:.1f}" for value in (*samplers, *map(statistics.median, beyonds))]
    spread = f" ({min(ratios):.1f} to {max(ratios):.1f})" if len(ratios) > 1 else ""
    size = median(ours, lambda run: run.samples[mark - 1]["rss"] / 1e6)
    files = median(ours, lambda run: run.samples[mark - 1]["files"])
    ratio = f"{statistics.median(ratios):.1f}{spread}"
    return [f"{before + mark:,}", *figures, ratio, f"{size:.0f}", f"{files:.0f}"]


def median(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """Return the median of a figure over runs."""
    return statistics.median(map(figure, runs))


def per_trial(run: Run, mark: int, key: str) -> float:
    """Return the mean milliseconds a trial of the window up to a mark."""
    window = min(WINDOW, mark - 10)  # the first ones import, and fill caches
    last, first = run.samples[mark - 1], run.samples[mark - 1 - window]
    return 1000 * (last[key] - first[key]) / window


def beyond(run: Run, mark: int) -> float:
    """Return the CPU milliseconds a trial that the sampler did not need."""
    return per_trial(run, mark, "cpu") - per_trial(run, mark, "sampler")


def in_all(run: Run, trials: int) -> str:
    """Say what all processes of a run took together."""
    gaps = [after["wall"] - before["wall"] for before, after in pairwise(run.samples)]
    return (
        f"{run.wall:.0f} s, {run.cpu:.0f} s of CPU time in all processes, "
        f"{1000 * run.cpu / trials:.0f} ms a trial; at most {max(gaps):.1f} s between two trials' "
        f"ends; {of_workers(run)}"
    )


def of_workers(run: Run) -> str:
    """Say what the workers held soon after all of them ran, and in the end."""
    most = max((count for _, count, _, _ in run.workers), default=0)
    full = [e for e in run.workers if e[1] == most and most < e[0] < len(run.samples)]
    if not most or len(full) < 2:
        return "no workers"
    (early, _, first, files), (late, _, last, later) = full[0], full[-1]
    return (
        f"{most} workers: {first / most / 1e6:.0f} MB and at most {files} open files each after "
        f"{early:,} trials, {last / most / 1e6:.0f} MB and {later} after {late:,}"
    )
