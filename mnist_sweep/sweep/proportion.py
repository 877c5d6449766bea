"""How well a share of so many is known."""

import math

NORMAL = 1.959963984540054  # standard deviations on either side that leave 5% out


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the ends of the 95% score interval of a share of so many independent draws.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22, 1927. scipy has it too, and takes a second to import.
    """
    shrunk = 1 + NORMAL**2 / count
    middle = (share + NORMAL**2 / (2 * count)) / shrunk
    half = NORMAL * math.sqrt(share * (1 - share) / count + NORMAL**2 / (4 * count**2)) / shrunk
    return max(middle - half, 0.0), min(middle + half, 1.0)
