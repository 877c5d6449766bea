"""A job of a fraction of a second in a sweep of ours: `python -m benchmarks.soak.app -m`.

It is told its trial, holds a lease, reports once and returns. `SOAK_RECORD` names the file that the
sweep's process records itself in.
"""

import time

import hydra
from omegaconf import DictConfig

from benchmarks.soak.instant import register_instant
from benchmarks.soak.landscape import closeness
from benchmarks.soak.record import watch_if_asked
from mnist_sweep.sweep.gate import Verdict
from mnist_sweep.sweep.trial import reporting


def size(config: DictConfig, hydra: DictConfig) -> Verdict:
    """Return a constraint that every configuration meets, as the budget's gate sets one."""
    found = 10 * config.depth
    return Verdict(constraints={"size": found - config.size_limit}, attributes={"size": found})


@hydra.main(config_path=".", config_name="config", execution_whitelist=["benchmarks.soak.app.*"])
def main(config: DictConfig) -> float:
    """Sleep, report and return the objective."""
    with reporting(config) as reporter:
        time.sleep(config.seconds)
        value = closeness(config.x, config.y, config.depth, config.kind)
        if reporter is not None:
            reporter.report(value, 1, may_stop=False)
    return value


if __name__ == "__main__":
    watch_if_asked()
    register_instant()
    main()
