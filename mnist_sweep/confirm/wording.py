"""A conclusion in words: the same on the command line and in the report."""

from collections.abc import Iterator

from mnist_sweep.confirm.conclusion import Comparison, Conclusion, Standing, Step
from mnist_sweep.confirm.intervals import LEVEL, Interval
from mnist_sweep.text import counted

HEADER = (
    "configuration",
    "parameters",
    "epochs",
    "test accuracy",
    "validation",
    "searched",
    "seeds",
)
STEPS = ("change", "test accuracy", "difference")
DEFAULT = "default"  # what a default configuration is called that no trial has

FEW = 4  # seeds: with less, Student's factor is above 4, and an interval tells next to nothing


def percent(interval: Interval) -> str:
    """Return a mean of fractions in percent, with half its interval.

    An interval that would pass 0 or 100% is given by its ends, cut there. Seeds with the same
    figure have none, which says little of others: no 0.00 stands for it.
    """
    mean, low, high = (100 * value for value in (interval.mean, interval.low, interval.high))
    if low == high:
        return f"{mean:.2f}% (seeds alike)"
    if low < 0 or high > 100:
        return f"{mean:.2f}% ({max(low, 0):.2f} to {min(high, 100):.2f}%)"
    return f"{mean:.2f} ± {(high - low) / 2:.2f}%"


def row(standing: Standing) -> tuple[str, ...]:
    """Return a configuration's cells under HEADER."""
    diverged = f", {len(standing.diverged)} diverged" if standing.diverged else ""
    untested = "dropped" if standing.dropped else "not measured"
    return (
        standing.title,
        f"{standing.parameters:,}",
        f"{standing.epochs}",
        untested if standing.test_acc is None else percent(standing.test_acc),
        percent(standing.val_acc),
        "" if standing.searched is None else f"{standing.searched:.2%}",
        f"{len(standing.seeds)}{diverged}",
    )


def steps(conclusion: Conclusion) -> list[tuple[str, ...]]:
    """Return the steps from the default to the best as cells under STEPS; none without them."""
    found = conclusion.ablation
    return [] if found is None else [_step(step) for step in found.steps]


def _step(step: Step) -> tuple[str, ...]:
    brought = "" if step.comparison is None else difference(step.comparison.difference)
    return ("; ".join(step.changes), percent(step.test_acc), brought)


def sentences(conclusion: Conclusion) -> Iterator[str]:
    """Say what the figures mean, and what they do not."""
    leader = conclusion.standings[0]
    yield _introduction(conclusion)
    if conclusion.default not in (None, DEFAULT):
        yield f"{conclusion.default} is the default configuration."
    if conclusion.splits is not None:
        yield _splits(conclusion.splits)
    if conclusion.comparisons:
        yield _paired(conclusion)
    few = _few(conclusion)
    if few:
        yield few
    diverged = {standing.title for standing in conclusion.standings if standing.diverged}
    for comparison in conclusion.comparisons:
        lost = bool(diverged & {leader.title, comparison.title})
        yield verdict(leader, comparison, lost, conclusion.margin)
    for standing in conclusion.standings:
        if standing.dropped is not None:
            yield _dropped(standing)
    optimism = _optimism(conclusion)
    if optimism:
        yield optimism
    power = _power(conclusion)
    if power:
        yield power
    if conclusion.missing:
        lacking = ", ".join(
            f"{title} ({counted(count, 'seed')})" for title, count in conclusion.missing.items()
        )
        yield (
            f"The hours were over before all seeds were trained. Missing: {lacking}; the same "
            "command with more hours= trains them."
        )
    unsettled = [title for title in conclusion.unsettled if title not in conclusion.missing]
    if unsettled:
        yield f"{', '.join(unsettled)}: nothing can be said, too many seeds diverged."
    if conclusion.ablation is not None:
        yield from _ablation(conclusion)


def verdict(
    leader: Standing, comparison: Comparison, diverged: bool = False, margin: float | None = None
) -> str:
    """Return what can be said of the first configuration and another.

    `diverged`: some seeds of one of them did, of which the comparison knows nothing. `margin`:
    differences below it count as none.
    """
    found = comparison.difference
    amount = difference(found, " points of test accuracy")
    if diverged:
        amount += f", over the {comparison.seeds} seeds with which neither diverged"
    other, sign = comparison.title, comparison.sign
    if sign == 0:
        said = f"{leader.title} and {other} cannot be told apart: {amount}."
    elif sign > 0:
        said = f"{leader.title} is better than {other}: {amount}."
    else:
        said = (
            f"{leader.title} leads on validation images, but is worse than {other} on test: "
            f"{amount}."
        )
    if sign and not found.sign and comparison.p is not None:
        said += f" Holm's procedure decides that (p = {comparison.p:.3f}), not the interval."
    if comparison.equivalent and margin is not None and comparison.equivalence is not None:
        inside = comparison.equivalence
        within = f"within the margin of {100 * margin:g} points"
        if sign == 0:
            said = f"{leader.title} and {other} are equivalent {within}: {amount}."
        else:
            said += f" They are equivalent {within} all the same."
        said += (
            f" Decided by the interval from {points(inside.low)} to {points(inside.high)}, which "
            "leaves out at each end what the first one leaves out at both (two one-sided tests)."
        )
    return said


def difference(found: Interval, unit: str = "") -> str:
    """Return a difference of accuracies in points, with its interval, cut at all images."""
    return (
        f"{points(found.mean)}{unit} ({points(max(found.low, -1))} to {points(min(found.high, 1))})"
    )


def points(fraction: float) -> str:
    """Return a difference of accuracies in percentage points, with its sign."""
    return f"{100 * fraction:+.2f}"


def _introduction(conclusion: Conclusion) -> str:
    searched = any(standing.searched is not None for standing in conclusion.standings)
    dropped = any(standing.dropped is not None for standing in conclusion.standings)
    return (
        f"Fresh seeds on {conclusion.data}, {conclusion.images:,} test images. ± is half a "
        f"{conclusion.level:.0%} interval over {_rows(conclusion)} (Student's t), on these images. "
        "Rows are "
        f"ordered by {conclusion.ranked_by} over the fresh seeds"
        + (", those that the race has dropped last" if dropped else "")
        + ("; searched is the val_acc of the run that each was taken from." if searched else ".")
    )


def _rows(conclusion: Conclusion) -> str:
    """Return what means and differences are over."""
    return "splits" if (conclusion.splits or 1) > 1 else "seeds"


def _splits(splits: int) -> str:
    if splits == 1:
        return (
            "All seeds are on one split of the training images, which is not that of the search. "
            "What is said of means and differences holds for other seeds on that split, and says "
            "nothing of other splits."
        )
    return (
        f"The seeds take {counted(splits, 'split')} of the training images in turn, none of them "
        "that of the search. Seeds of one split are averaged, so that what is said of means and "
        "differences holds for other splits."
    )


def _paired(conclusion: Conclusion) -> str:
    together = ", all of them together" if len(conclusion.comparisons) > 1 else ""
    holm = (
        " Which of them are certain is decided by Holm's procedure, which finds all that these "
        "intervals do, and sometimes one more."
        if together and conclusion.comparisons[0].p is not None
        else ""
    )
    return (
        "Configurations are compared in pairs, with the same seeds and the same test images. "
        "What both have in common cancels out, so a difference can be certain although their "
        "intervals in the table overlap. The differences below hold for other seeds and other "
        f"images ({conclusion.level:.0%}{together}).{holm}"
    )


def _few(conclusion: Conclusion) -> str | None:
    dropped = {standing.title for standing in conclusion.standings if standing.dropped}
    fewest = min(
        [_draws(conclusion, each) for each in conclusion.standings if each.title not in dropped]
        + [_draws(conclusion, each) for each in conclusion.comparisons if each.title not in dropped]
    )
    if fewest >= FEW:
        return None
    what = _rows(conclusion)
    more = (
        f"Give split_seeds={FEW} or more, and as many seeds: that is another confirmation."
        if what == "splits"
        else f"Give seeds={FEW} or more: finished runs are kept."
    )
    return (
        f"Warning: {fewest} {what} are very few. Their intervals are wide, and hold only if "
        f"accuracies are normally distributed, which so few cannot show. {more}"
    )


def _draws(conclusion: Conclusion, each: Standing | Comparison) -> int:
    """Return how many independent draws an interval is over; in older records at most so many."""
    if each.draws is not None:
        return each.draws
    seeds = each.seeds if isinstance(each, Comparison) else len(each.seeds)
    return min(seeds, conclusion.splits or 1) if _rows(conclusion) == "splits" else seeds


def _dropped(standing: Standing) -> str:
    found = standing.dropped
    assert found is not None
    if found.difference is None:
        return f"{standing.title} was dropped after {found.seeds} seeds: most of them diverged."
    return (
        f"{standing.title} was dropped after {found.seeds} seeds: {found.leader} is better on "
        f"validation images, {difference(found.difference, ' points')}. The best one is dropped in "
        f"at most {1 - LEVEL:.0%} of such races."
    )


def _optimism(conclusion: Conclusion) -> str | None:
    """Say by how much the search's figures were too good, of all that have one."""
    known = [
        f"{standing.title} {difference(standing.optimism)}"
        for standing in conclusion.standings
        if standing.optimism is not None
    ]
    if not known:
        return None
    return (
        "Optimism of the search, its validation accuracy less the mean of the fresh seeds, in "
        f"points: {'; '.join(known)}."
    )


def _power(conclusion: Conclusion) -> str | None:
    """Say what the seeds were enough for, and how many more would be."""
    found = conclusion.power
    if found is None:
        return None
    first = conclusion.comparisons[0]
    pair = f"{conclusion.standings[0].title} and {conclusion.standings[1].title}"
    said = (
        f"With these seeds, a true difference of {100 * found.detectable:.2f} points between "
        f"{pair} would have been found 4 times in 5."
    )
    if first.sign or first.equivalent:
        return said
    if found.more_seeds is None:
        return f"{said} No number of {_rows(conclusion)} would settle one as small as that found."
    more = counted(found.more_seeds, f"more {_rows(conclusion).removesuffix('s')}")
    if _rows(conclusion) == "splits":
        more += f" (split_seeds={(conclusion.splits or 1) + found.more_seeds}, and as many seeds)"
    return f"{said} About {more} would settle one as large as that found."


def _ablation(conclusion: Conclusion) -> Iterator[str]:
    found = conclusion.ablation
    assert found is not None
    if not found.steps:
        return
    how = (
        f" in the order of what each brings alone, by validation over {found.order_seeds} seeds"
        if len(found.steps) > 1
        else ""
    )
    yield (
        f"From {found.first} to {conclusion.standings[0].title}, one change after the other{how}. "
        f"Each difference is to the step before; they hold together ({conclusion.level:.0%})."
    )
    mattered = [
        "; ".join(step.changes) for step in found.steps if step.comparison and step.comparison.sign
    ]
    if mattered:
        yield f"What certainly mattered: {', '.join(mattered)}."
    else:
        yield "None of the changes can be said to have mattered by itself."
