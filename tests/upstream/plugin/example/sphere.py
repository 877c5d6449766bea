"""A sphere to minimize, in the place of the plugin's example of that name."""

from typing import Any

import hydra
from omegaconf import DictConfig


@hydra.main(config_path="conf", config_name="config")
def sphere(config: DictConfig) -> Any:
    if config.get("error"):
        raise RuntimeError("cfg.error is True")
    return config.x**2 + config.y**2


if __name__ == "__main__":
    sphere()
