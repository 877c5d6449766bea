"""optuna-dashboard on a storage, with notes and figures of the studies in it."""
