"""The training loop. It takes objects, never config, and knows nothing of files."""
