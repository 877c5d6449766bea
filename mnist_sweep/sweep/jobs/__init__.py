"""Where a trial's job runs: worker processes, or any Hydra launcher."""
