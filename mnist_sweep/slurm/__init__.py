"""A sweep as an array of Slurm jobs, each a sweep of one study."""
