"""Shares of a run's epochs to augment, for the searches in conf/: a resolver of theirs."""

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.config_checks import whole_epochs


def augmented_shares(*shares: float, _root_: DictConfig) -> str:
    """Return the sweep of those shares that leave an augmented epoch, of the composed epochs.

    A run refuses the others; 1 is always among them.
    """
    epochs = OmegaConf.select(_root_, "epochs", default=None)
    left = [
        share
        for share in shares
        if share == 1 or not isinstance(epochs, int) or whole_epochs(share, epochs) > 0
    ]
    return f"choice({', '.join(map(str, left))})" if len(left) > 1 else "1.0"


def register() -> None:
    """Make the resolver known to conf/."""
    OmegaConf.register_resolver("augmented_shares", augmented_shares, replace=True)
