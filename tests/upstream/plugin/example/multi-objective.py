"""Two objectives that contradict each other, in the place of the plugin's example of that name."""

from typing import Any

import hydra
from omegaconf import DictConfig


@hydra.main(config_path="front", config_name="config")
def distances(config: DictConfig) -> Any:
    near = config.x**2 + config.y**2
    far = (config.x - 4) ** 2 + (config.y - 4) ** 2
    return near, far


if __name__ == "__main__":
    distances()
