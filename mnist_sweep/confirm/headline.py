"""What a conclusion says of its first configuration, in a line each."""

from mnist_sweep.confirm import wording
from mnist_sweep.confirm.conclusion import Comparison, Conclusion
from mnist_sweep.text import counted

_POINTS = " points of test accuracy"


def result(conclusion: Conclusion) -> str:
    """Return the leader's test accuracy with its interval, over how many seeds and images."""
    leader = conclusion.standings[0]
    test = "not measured" if leader.test_acc is None else wording.percent(leader.test_acc)
    several = (conclusion.splits or 1) > 1
    of = f" of {conclusion.splits} splits" if several else ""
    return (
        f"test accuracy {test} over {counted(len(leader.seeds), 'fresh seed')}{of} "
        f"({conclusion.level:.0%}; {conclusion.images:,} test images of {conclusion.data})"
    )


def against_default(conclusion: Conclusion) -> str:
    """Return how the leader compares with the default configuration."""
    default, found = conclusion.default, conclusion.against_default
    if default is None:
        why = "" if conclusion.no_default is None else f": {conclusion.no_default}"
        return f"no default configuration to compare with{why}"
    if conclusion.standings[0].title == default:
        return _default_leads(conclusion)
    if found is not None:
        return _difference(conclusion, found, "the default")
    if default in conclusion.missing:
        return "the default configuration has too few seeds to compare with: give more hours="
    return "too many seeds of the default configuration diverged to compare with it"


def _default_leads(conclusion: Conclusion) -> str:
    """Say what is known against the default where it is the best on validation images."""
    compared = conclusion.comparisons
    for comparison in compared:
        if comparison.sign < 0:
            return (
                f"it is the default configuration, but worse than {comparison.title} on test "
                f"images: {wording.difference(comparison.difference, _POINTS)}"
            )
    if not compared:
        return "it is the default configuration: no other has enough seeds to compare with it"
    beside = "the one" if len(compared) == 1 else f"the {len(compared)}"
    return f"it is the default configuration: of {beside} compared with it, none is better"


def against_runner_up(conclusion: Conclusion) -> str | None:
    """Return how the leader compares with the next; None where that is the default, or nothing."""
    if len(conclusion.standings) < 2:
        return None
    second = conclusion.standings[1]
    if second.title == conclusion.default:
        return None
    for comparison in conclusion.comparisons:
        if comparison.title == second.title:
            return _difference(conclusion, comparison, second.title)
    if second.dropped is not None:
        seeds = counted(second.dropped.seeds, "seed")
        return f"{second.title}, the next, fell behind and was dropped after {seeds}"
    return f"too few seeds of {second.title} are complete to compare with it"


def _difference(conclusion: Conclusion, found: Comparison, other: str) -> str:
    amount = wording.difference(found.difference, _POINTS)
    if found.sign > 0:
        return f"better than {other}: {amount}"
    if found.sign < 0:
        return f"worse than {other} on test images, though better on validation: {amount}"
    if found.equivalent and conclusion.margin is not None:
        return f"equivalent to {other} within {100 * conclusion.margin:g} points: {amount}"
    return f"cannot be told apart from {other}: {amount}"
