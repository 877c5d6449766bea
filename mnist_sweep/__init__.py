"""A Hydra-configured hyperparameter sweep framework with a parameter budget."""

from importlib.metadata import version

__version__ = version("mnist-sweep")
