"""Every command of the package, called in this process as `python -m` calls it."""

import sys
from collections.abc import Callable, Sequence

from hydra.core.global_hydra import GlobalHydra

from mnist_sweep import export, mlflow, pictures, predict, reproduce, tensorboard, train
from mnist_sweep.best import __main__ as best
from mnist_sweep.cli import arguments
from mnist_sweep.confirm import __main__ as confirm
from mnist_sweep.dashboard import __main__ as dashboard
from mnist_sweep.report import __main__ as report
from mnist_sweep.results import __main__ as results
from mnist_sweep.slurm import __main__ as slurm
from mnist_sweep.studies import __main__ as studies
from mnist_sweep.watch import __main__ as watch

SCHEMAS = {
    "predict": (predict.Predict, predict.main),
    "export": (export.Export, export.main),
    "pictures": (pictures.Pictures, pictures.main),
    "reproduce": (reproduce.Reproduce, reproduce.main),
    "tensorboard": (tensorboard.Board, tensorboard.main),
    "mlflow": (mlflow.Server, mlflow.main),
    "confirm": (confirm.Confirm, confirm.main),
    "dashboard": (dashboard.Dashboard, dashboard.main),
    "report": (report.Report, report.main),
    "results": (results.Results, results.main),
    "studies": (studies.Studies, studies.main),
    "watch": (watch.Watch, watch.main),
}
# Those whose further words are the sweep's own.
WITH_OVERRIDES = {"best": best.main, "slurm": slurm.main}
COMMANDS = {"train", *WITH_OVERRIDES, *SCHEMAS}


def _entry(name: str) -> Callable[[], None]:
    if name == "train":
        return train.command_line
    if name in WITH_OVERRIDES:
        return lambda: arguments.run_words("", WITH_OVERRIDES[name])
    schema, main = SCHEMAS[name]
    return lambda: arguments.run(schema, "", main)


def call(words: Sequence[str]) -> int:
    """Give a command; return its exit code."""
    name, *given = words
    sys.argv = [name, *given]
    GlobalHydra.instance().clear()
    try:
        _entry(name)()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
