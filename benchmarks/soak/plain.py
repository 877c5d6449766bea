"""The same search by Optuna's ask and tell alone: what a sweep needs at least.

    python -m benchmarks.soak.plain STORAGE SAMPLER TRIALS RUNNING

`RUNNING` trials are open at any time, as many as a sweep has workers: TPE's constant liar looks at
them. Nothing sleeps, and no process but this one writes.
"""

import sys
from collections import deque

import optuna

from benchmarks.soak.landscape import suggested
from benchmarks.soak.record import SAMPLERS, watch_if_asked
from mnist_sweep.sweep.storage import open_storage

OURS = {"multivariate": True, "constant_liar": True}  # as conf/hydra/sweeper/sampler has it


def main(address: str, sampler: str, trials: int, running: int) -> None:
    """Ask for so many trials and tell each, the oldest first."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chosen = SAMPLERS[sampler](seed=0, **(OURS if sampler == "tpe" else {}))
    storage = open_storage(address).optuna
    study = optuna.create_study(
        study_name="soak",
        storage=storage,
        sampler=chosen,
        direction="maximize",
        load_if_exists=True,
    )
    pending: deque[tuple[optuna.Trial, float]] = deque()
    for _ in range(trials):
        trial = study.ask()
        value = suggested(trial)
        trial.set_constraint("size", -1.0)
        trial.report(value, 1)
        pending.append((trial, value))
        if len(pending) == running:
            study.tell(*pending.popleft())
    while pending:
        study.tell(*pending.popleft())


if __name__ == "__main__":
    watch_if_asked()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
