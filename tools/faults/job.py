"""The harness's job as a Hydra application: `python -m tools.faults.job -m` sweeps it."""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mnist_sweep.sweep.trial import reporting
from tools.faults.course import run


@hydra.main(config_path=str(Path(__file__).parent), config_name="job")
def main(config: DictConfig) -> float:
    """Do one course; its last state is the objective."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with reporting(config) as reporter:
        return run(config.x, config.epochs, config.seconds, folder, reporter)


if __name__ == "__main__":
    main()
