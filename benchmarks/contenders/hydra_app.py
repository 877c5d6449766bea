"""A Hydra application with the stock Optuna sweeper, as the plugin's page has it.

    python -m benchmarks.contenders.hydra_app -m root=ROOT hydra.sweeper.n_trials=20

https://hydra.cc/docs/plugins/optuna_sweeper/
"""

import hydra
from omegaconf import DictConfig

from benchmarks.contenders.objective import train


@hydra.main(config_path="conf", config_name="config")
def main(config: DictConfig) -> float:
    """Train as configured; return the objective."""
    return train(
        config.root, config.epochs, config.width, config.dropout, config.batch_size, config.lr
    )


if __name__ == "__main__":
    main()
