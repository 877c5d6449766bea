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
    "searched",
    "seeds",
)


FEW = 4  # seeds: with less, Student's factor is above 4, and an interval tells next to nothing


def percent(interval: Interval) -> str:
    """Return a mean of fractions in percent, with half its interval.

    An interval that would pass 0 or 100% is given by its ends, cut there.
    """
    mean, low, high = (100 * value for value in (interval.mean, interval.low, interval.high))
    if low < 0 or high > 100:
        return f"{mean:.2f}% ({max(low, 0):.2f} to {min(high, 100):.2f}%)"
    return f"{mean:.2f} ± {(high - low) / 2:.2f}%"


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
    searched = any(standing.searched is not None for standing in conclusion.standings)
    together = ", all of them together" if len(conclusion.comparisons) > 1 else ""
    yield (
        f"Fresh seeds on {conclusion.data}, {conclusion.images:,} test images. ± is half a "
        f"{conclusion.level:.0%} interval over seeds (Student's t), on these images. Rows are "
        f"ordered by {conclusion.ranked_by} over the fresh seeds"
        + ("; searched is the val_acc of the run that each was taken from." if searched else ".")
    )
    if conclusion.comparisons:
        yield (
            "Configurations are compared in pairs, with the same seeds and the same test images. "
            "What both have in common cancels out, so a difference can be certain although their "
            "intervals in the table overlap. The differences below hold for other seeds and other "
            f"images ({conclusion.level:.0%}{together})."
        )
    fewest = min(
        [len(standing.seeds) for standing in conclusion.standings]
        + [comparison.seeds for comparison in conclusion.comparisons]
    )
    if fewest < FEW:
        yield (
            f"Warning: {fewest} seeds are very few. Their intervals are wide, and hold only if "
            f"accuracies are normally distributed, which so few cannot show. Give seeds={FEW} or "
            "more: finished runs are kept."
        )
    diverged = {standing.title for standing in conclusion.standings if standing.diverged}
    for comparison in conclusion.comparisons:
        yield verdict(leader, comparison, bool(diverged & {leader.title, comparison.title}))
    luck = _luck(leader)
    if luck:
        yield luck
    if conclusion.unsettled:
        yield f"{', '.join(conclusion.unsettled)}: nothing can be said, too many seeds diverged."


def verdict(leader: Standing, comparison: Comparison, diverged: bool = False) -> str:
    """Return what can be said of the first configuration and another.

    `diverged`: some seeds of one of them did, of which the comparison knows nothing.
    """
    found = comparison.difference
    amount = f"{points(found.mean)} points of test accuracy"
    within = f"({points(max(found.low, -1.0))} to {points(min(found.high, 1.0))})"
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
        f"The run that {leader.title} was taken from had {leader.searched:.2%} validation "
        f"accuracy, {points(excess)} points from the mean of its fresh seeds."
    )
