"""Plain Optuna, with its default pruner or without, as its tutorial has it.

    python -m benchmarks.contenders.optuna_loop ROOT TRIALS EPOCHS SEED median|none

https://optuna.readthedocs.io/en/stable/tutorial/10_key_features/003_efficient_optimization_algorithms.html
"""

import json
import sys

import optuna

from benchmarks.contenders.objective import train


def main(root: str, trials: int, epochs: int, seed: int, pruner: str) -> None:
    """Search, and print the best parameters."""

    def objective(trial: optuna.Trial) -> float:
        def report(epoch: int, value: float) -> None:
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        return train(
            root,
            epochs,
            width=trial.suggest_float("width", 0.6, 1.0),
            dropout=trial.suggest_float("dropout", 0.0, 0.3),
            batch_size=trial.suggest_categorical("batch_size", [16, 32, 64, 128]),
            lr=trial.suggest_float("lr", 0.0005, 0.02, log=True),
            report=report,
        )

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner() if pruner == "median" else optuna.pruners.NopPruner(),
    )
    study.optimize(objective, n_trials=trials)
    print(json.dumps(study.best_params))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
