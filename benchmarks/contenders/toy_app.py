"""A Hydra application with the stock Optuna sweeper whose jobs take no time.

    python -m benchmarks.contenders.toy_app -m diary=FILE job=value|prune|slow|die

A job's value is x + y, and its budget allows 0.2, so that the best is just within the budget.
"""

import os
import signal
import time
from pathlib import Path

import hydra
import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

BUDGET = 0.2


def constrain(config: DictConfig, trial: optuna.Trial) -> None:
    """Tell the trial by how much it is over budget: a `custom_search_space`."""
    trial.set_constraint("budget", trial.params["x"] + trial.params["y"] - BUDGET)


@hydra.main(config_path="conf", config_name="toy")
def main(config: DictConfig) -> float:
    """Do what `job` says; write when it began and ended into the diary."""
    number, began = HydraConfig.get().job.num, time.monotonic()
    value = config.x + config.y
    if config.job == "prune" and value > BUDGET:
        raise optuna.TrialPruned("over budget")
    if config.job == "slow":
        time.sleep(2.0 if number == 0 else 0.1)
    diary = Path(config.diary)
    if config.job == "die" and number == 2 and not diary.with_name("died").exists():
        diary.with_name("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with diary.open("a", encoding="utf-8") as lines:
        lines.write(f"{number} {began} {time.monotonic()}\n")
    return float(value)


if __name__ == "__main__":
    main()
