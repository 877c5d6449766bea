"""Range checks that the networks share, and how a width multiplier rounds."""

import math
from collections.abc import Sequence

IN_CHANNELS = 1
IMAGE_SIZE = 28
CLASSES = 10


def check_dropout(dropout: float) -> None:
    """Raise ValueError unless 0 <= dropout < 1."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1), but got {dropout}")


def check_one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise ValueError unless a setting has one of the allowed values."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, but got {value!r}")


def check_at_least_one(name: str, value: int) -> None:
    """Raise ValueError unless the named count is positive."""
    if value < 1:
        raise ValueError(f"{name} must be at least 1, but got {value}")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless a number is positive and finite."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be greater than 0 and finite, but got {value}")


def scaled(channels: int, width: float) -> int:
    """Return channels times the width multiplier, rounded, at least 1.

    Raises ValueError for a channel count below 1, or a width that is not positive and finite.
    """
    check_at_least_one("channels", channels)
    check_positive("width", width)
    return max(1, round(channels * width))
