"""How wide a compact network's convolutions are: from its proportions, and what a budget allows.

Runs and bundles record the settings and not the channels that follow from them, so what is computed
here and in `compact_plan` is part of their format.
"""

import math
from collections.abc import Sequence

from mnist_sweep.models.checks import check_at_least_one, check_positive
from mnist_sweep.models.compact_plan import Options, Plan, plan
from mnist_sweep.models.cost import largest_fitting

MOST_STAGES = 4  # 28 -> 14 -> 7 -> 3 or 4 pixels
MOST_IN_A_STAGE = 16
WIDEST, TENTHS = 4096, 10  # the widest convolution tried for a budget; it is varied in tenths


def relative_widths(
    depths: Sequence[int], channels: int, growths: Sequence[float], entries: Sequence[float]
) -> list[list[float]]:
    """Return the widths of each stage's convolutions, in channels that are not yet rounded.

    A stage's last convolution has `growths` times the width of the one of the stage before, the
    first stage's has `channels`. Its first one has `entries` times that, and those between lie on
    the line between both. `growths` has one value less than the others. Raises ValueError for a
    number that is not positive, and for too many or too few stages or convolutions.
    """
    check_depths(depths)
    check_at_least_one("channels", channels)
    for number, growth in enumerate(growths, start=2):
        check_positive(f"growth{number}", growth)
    for number, entry in enumerate(entries, start=1):
        check_positive(f"entry{number}", entry)
    stages, last = [], float(channels)
    for depth, growth, entry in zip(depths, (1.0, *growths), entries, strict=True):
        last *= growth
        steps = max(1, depth - 1)
        stages.append([last * (entry + (1 - entry) * n / steps) for n in range(depth)])
        stages[-1][-1] = last
    return stages


def check_widths(widths: Sequence[Sequence[int]]) -> None:
    """Raise ValueError unless widths list the channels of every stage's convolutions."""
    if not isinstance(widths, list) or not all(
        isinstance(stage, list) and all(type(width) is int for width in stage) for stage in widths
    ):
        raise ValueError(
            f"widths must list each stage's channels, as [[12,16],[24]] does, but got {widths}"
        )
    check_depths([len(stage) for stage in widths])
    for stage in widths:
        for width in stage:
            check_at_least_one("channels", width)


def fitted_plan(
    widths: Sequence[Sequence[float]], options: Options, fill: float | None, budget: int | None
) -> Plan:
    """Return the plan of some widths; with `fill` as wide as that share of the budget allows.

    Raises ValueError for a fill that is not positive, or has no budget to be a share of.
    """
    if fill is None:
        return plan(widths, options)
    check_positive("fill", fill)
    if budget is None:
        raise ValueError(
            f"fill={fill:g} is a share of budget.max_parameters, which is null: set a budget, or "
            "model.fill=null"
        )
    return widest_plan(widths, options, math.floor(fill * budget))


def widest_plan(widths: Sequence[Sequence[float]], options: Options, limit: int) -> Plan:
    """Return the plan of some relative widths, as wide as at most `limit` parameters allow.

    All are multiplied by the same number, rounded to multiples of the width step, and at least
    LEAST_CHANNELS. Where even the narrowest network is larger, it is that.
    """
    widest = max(map(max, widths))

    def at(tenths: int) -> Plan:
        multiplier = tenths / (TENTHS * widest)
        return plan([[w * multiplier for w in stage] for stage in widths], options, widths)

    try:
        tenths = largest_fitting(
            range(1, WIDEST * TENTHS), lambda tenths: at(tenths).parameters, limit
        )
    except LookupError:
        tenths = 1
    return at(tenths)


def check_stages(stages: int) -> None:
    """Raise ValueError for a number of stages that 28x28 pixels cannot be halved for."""
    if not 1 <= stages <= MOST_STAGES:
        raise ValueError(f"stages must be 1 to {MOST_STAGES}, but got {stages}")


def check_depths(depths: Sequence[int]) -> None:
    """Raise ValueError for too many or too few stages, or convolutions in one."""
    check_stages(len(depths))
    for depth in depths:
        if not 1 <= depth <= MOST_IN_A_STAGE:
            raise ValueError(
                f"a stage must have 1 to {MOST_IN_A_STAGE} convolutions, but got {depth}"
            )
