"""A search space that a function extends, in the place of the plugin's example of that name."""

from typing import Any

import hydra
from omegaconf import DictConfig
from optuna.trial import Trial


@hydra.main(config_path="custom", config_name="config", execution_whitelist=["__main__.*"])
def quadratic(config: DictConfig) -> Any:
    return config.x**2 + config.y + config.z**2 + config.w


def configure(config: DictConfig, trial: Trial) -> None:
    """Keep z near x, and search a key that the config does not have."""
    reach = config.max_z_difference_from_x
    x = trial.params["x"]
    trial.suggest_float("z", x - reach, x + reach)
    trial.suggest_float("+w", 0.0, 1.0)


if __name__ == "__main__":
    quadratic()
