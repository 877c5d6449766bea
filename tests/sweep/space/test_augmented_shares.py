"""The shares of epochs to augment that the architecture search draws."""

import pytest
from hydra import compose, initialize_config_dir

from mnist_sweep import train


def shares(*overrides):
    with initialize_config_dir(train.config_directory()):
        config = compose(
            "config", overrides=["search=architecture", *overrides], return_hydra_config=True
        )
        return config.hydra.sweeper.params["data.augmentation.until"]


@pytest.mark.parametrize("epochs", [2, 5, 20])
def test_all_shares_that_leave_an_augmented_epoch_are_drawn(epochs):
    assert shares(f"epochs={epochs}") == "choice(1.0, 0.9, 0.8)"


def test_a_run_of_one_epoch_is_augmented_throughout():
    assert shares("epochs=1") == "1.0"
