"""Command lines: Hydra's start, key=value arguments, what is printed, in which encoding."""
