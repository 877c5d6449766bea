"""Training: the loop, losses, averaged weights, distillation, CUDA graphs; no config, no files."""
