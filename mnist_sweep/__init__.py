"""A Hydra-configured hyperparameter sweep framework with a parameter budget.

From Python: `compose`, `train`, `load` and `study`, described in docs/python.md. Each is imported
when it is asked for, so that importing the package stays quick.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_sweep.api.composing import compose
    from mnist_sweep.api.study_table import study
    from mnist_sweep.api.trained_model import load
    from mnist_sweep.api.training import train

__all__ = ["__version__", "compose", "load", "study", "train"]

__version__ = version("mnist-sweep")

WHERE = {
    "compose": "mnist_sweep.api.composing",
    "load": "mnist_sweep.api.trained_model",
    "study": "mnist_sweep.api.study_table",
}


def __getattr__(name: str) -> Any:
    if name == "train":  # the command's module, which can be called as well
        return import_module("mnist_sweep.train")
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
