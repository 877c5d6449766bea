"""After how many epochs pruning begins, which the default pruner's config asks for."""

from typing import Any

from omegaconf import OmegaConf

LEAST = 2  # one epoch is too little to decide on: docs/pruning.md


def first_rung(epochs: Any) -> int:
    """Return a sixth of a trial's epochs, at least two: with thirds, the next rung is half of them.

    Two where `epochs` is no number, as another application's setting of that name may be.
    """
    return max(LEAST, epochs // 6) if type(epochs) is int else LEAST


OmegaConf.register_resolver("first_rung", first_rung, replace=True)
