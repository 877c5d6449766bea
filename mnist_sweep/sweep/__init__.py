"""The Hydra sweeper: proposals by Optuna, a gate before launch, a record that goes on."""
