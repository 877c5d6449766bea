"""Whether what others concluded from single runs holds over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_sweep.confirm.intervals import Interval, in_pairs, shared_level

HOLDS, NOT, UNKNOWN = "holds", "does not hold", "cannot be told"


@dataclass(frozen=True)
class Judged:
    """A claim and its verdict.

    `differences`: of the better arm from each other, in pairs of seeds, with intervals that hold
    together at 95%.
    """

    text: str
    verdict: str
    differences: Mapping[str, Interval]


def arm_name(settings: Mapping[str, Any]) -> str:
    """Return what an arm is called: its values, those of a schedule's and its rate together."""
    return ", ".join(str(settings[name]) for name in sorted(settings, reverse=True))


def values(summary: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return each arm's value by seed."""
    return {arm_name(arm["settings"]): arm["values"] for arm in summary["arms"]}


def judge(claim: Mapping[str, Any], summary: Mapping[str, Any]) -> Judged:
    """Judge a claim by an ablation's seeds.

    It holds if the better arm is certainly better than each other, and `by`, where the claim names
    an amount, is within the interval or below it. It does not hold if the arm is certainly worse
    than one, or a claimed amount is certainly more than there is. Otherwise it cannot be told.
    """
    found, level = values(summary), shared_level(len(claim["than"]))
    step = 1 / summary["runs"]["data"]["sizes"]["val"]
    pairs = {
        other: in_pairs(found[claim["better"]], found[other], level, step)
        for other in claim["than"]
    }
    differences = {other: each for other, each in pairs.items() if each is not None}
    verdict = UNKNOWN
    if len(differences) == len(pairs):  # of one, too many seeds have failed
        verdict = _verdict(list(differences.values()), claim["by"])
    return Judged(claim["text"], verdict, differences)


def _verdict(differences: list[Interval], by: float | None) -> str:
    if any(each.high < (by or 0) for each in differences):
        return NOT
    return HOLDS if all(each.low > 0 for each in differences) else UNKNOWN
