"""The gate: what a classifier takes, known from its config before anything is trained."""

from omegaconf import DictConfig

from mnist_sweep.sweep.gate import Verdict

PIXELS, CLASSES, FLOAT = 64, 10, 4  # of an image, of the digits, bytes of a number


def byte_budget(config: DictConfig, hydra: DictConfig) -> Verdict:
    """Return what a proposal costs: a constraint above 0 is infeasible, by so many bytes."""
    size = bytes_of(config.components)
    over = size - config.max_bytes
    reason = f"{size:,} bytes, {over:,} over budget" if over > 0 else None
    return Verdict(constraints={"bytes": over}, attributes={"bytes": size}, reason=reason)


def bytes_of(components: int) -> int:
    """Return the bytes of the features' directions and offsets, and of the classifier's weights."""
    return FLOAT * (components * (PIXELS + 1) + CLASSES * (components + 1))
