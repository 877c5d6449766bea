"""A conclusion in words: the same on the command line and in the report."""

from collections.abc import Iterator

from mnist_sweep.confirm.conclusion import Comparison, Conclusion, Standing
from mnist_sweep.confirm.intervals import Interval, for_another

HEADER = (
    "configuration",
    "parameters",
    "epochs",
    "test accuracy",
    "validation",
    "when chosen",
    "seeds",
)


def percent(interval: Interval) -> str:
    """Return a mean of fractions in percent, with half its interval."""
    return f"{100 * interval.mean:.2f} ± {50 * (interval.high - interval.low):.2f}%"


def row(standing: Standing) -> tuple[str, ...]:
    """Return a configuration's cells under HEADER."""
    diverged = f", {len(standing.diverged)} diverged" if standing.diverged else ""
    return (
        standing.title,
        f"{standing.parameters:,}",
        f"{standing.epochs}",
        percent(standing.test_acc),
        percent(standing.val_acc),
        "" if standing.searched is None else f"{standing.searched:.2%}",
        f"{len(standing.seeds)}{diverged}",
    )


def sentences(conclusion: Conclusion) -> Iterator[str]:
    """Say what the figures mean, and what they do not."""
    leader = conclusion.standings[0]
    together = ", all of them together" if len(conclusion.comparisons) > 1 else ""
    yield (
        f"Fresh seeds on {conclusion.data}, {conclusion.images:,} test images. ± is half a "
        f"{conclusion.level:.0%} interval over seeds (Student's t), on these images; the order is "
        f"that of {conclusion.ranked_by} over the fresh seeds. What is said of differences holds "
        f"for other seeds and other images ({conclusion.level:.0%}{together})."
    )
    diverged = {standing.title for standing in conclusion.standings if standing.diverged}
    for comparison in conclusion.comparisons:
        yield verdict(leader, comparison, bool(diverged & {leader.title, comparison.title}))
    luck = _luck(leader)
    if luck:
        yield luck
    if conclusion.unsettled:
        yield (
            f"{', '.join(conclusion.unsettled)}: too few seeds did not diverge for any conclusion."
        )


def verdict(leader: Standing, comparison: Comparison, diverged: bool = False) -> str:
    """Return what can be said of the first configuration and another.

    `diverged`: some seeds of one of them did, of which the comparison knows nothing.
    """
    found = comparison.difference
    amount = f"{points(found.mean)} points of test accuracy"
    within = f"({points(found.low)} to {points(found.high)})"
    if diverged:
        within += f", over the {comparison.seeds} seeds with which neither diverged"
    if found.sign > 0:
        return f"{leader.title} is better than {comparison.title}: {amount} {within}."
    if found.sign < 0:
        return (
            f"{leader.title} leads on validation images, but is worse than {comparison.title} "
            f"on test: {amount} {within}."
        )
    return f"{leader.title} and {comparison.title} cannot be told apart: {amount} {within}."


def points(fraction: float) -> str:
    """Return a difference of accuracies in percentage points, with its sign."""
    return f"{100 * fraction:+.2f}"


def _luck(leader: Standing) -> str | None:
    """Return what to say of the run that was chosen, unless one more seed might be like it."""
    if leader.searched is None:
        return None
    usual = for_another(leader.val_acc, len(leader.seeds))
    if usual.low <= leader.searched <= usual.high:
        return None
    excess = leader.searched - leader.val_acc.mean
    return (
        f"The run that {leader.title} was chosen by had {leader.searched:.2%} validation accuracy, "
        f"{points(excess)} points from its mean over fresh seeds."
    )
