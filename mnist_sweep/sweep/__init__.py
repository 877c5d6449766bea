"""The Hydra sweeper: Optuna proposes, a gate judges, workers run, the study is resumable."""
