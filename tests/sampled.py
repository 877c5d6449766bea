"""Long tables of which `make test` tries a part."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

QUICK = 5  # one in so many is tried by `make test`, the others by `make test-slow`


def sampled(cases: Sequence[Any], name: Callable[[Any], str]) -> list[Any]:
    """Return a table's cases as parameters of a test, most of them marked as slow."""
    return [
        pytest.param(case, id=name(case), marks=[pytest.mark.slow] if place % QUICK else [])
        for place, case in enumerate(cases)
    ]
