"""Where a trial's job runs: worker processes, tasks of Ray or Dask, or any Hydra launcher."""
