"""Whether what others concluded from single runs holds over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_sweep.confirm.intervals import Interval, over_seeds, shared_level

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
    found, better, level = values(summary), claim["better"], shared_level(len(claim["than"]))
    differences = {
        other: over_seeds(
            [found[better][seed] - found[other][seed] for seed in found[better]], level
        )
        for other in claim["than"]
    }
    return Judged(claim["text"], _verdict(list(differences.values()), claim["by"]), differences)


def _verdict(differences: list[Interval], by: float | None) -> str:
    if any(each.high < (by or 0) for each in differences):
        return NOT
    return HOLDS if all(each.low > 0 for each in differences) else UNKNOWN
