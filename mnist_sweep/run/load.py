"""A finished run, read back from its directory: its config, its figures, its network."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_sweep.config import RunConfig
from mnist_sweep.config_checks import check
from mnist_sweep.data import DataError, Dataset, Pipeline
from mnist_sweep.recorded_config import load_recorded
from mnist_sweep.run.build import (
    build_dataset,
    build_model,
    build_pipeline,
    count_model,
    model_name,
)
from mnist_sweep.run.directory import RecordError, RunDirectory
from mnist_sweep.study_folder import BEST_RUN
from mnist_sweep.text import shortened


class OtherData(DataError):
    """Data that are here under the name of others, which a run was trained on.

    `what`: the same without places of this machine.
    """

    def __init__(self, what: str, path: Path) -> None:
        super().__init__(f"run={path}: {what}; set MNIST_SWEEP_DATA to where that is")
        self.what = what


@dataclass(frozen=True)
class Trained:
    """A run with the weights that it kept; the model is in evaluation mode."""

    path: Path
    run: RunConfig
    result: dict[str, Any]
    model: nn.Module
    pipeline: Pipeline

    @property
    def name(self) -> str:
        """What the user calls the model."""
        return model_name(self.result, self.run.model)


def load_trained(path: str, device: torch.device, setting: str = "run") -> Trained:
    """Read a run directory, the value of a setting, its network on a device.

    Raises ConfigError and RecordError where it is none, or has kept no weights.
    """
    run = check(load_recorded(path, setting))
    directory = RunDirectory(Path(path))
    result = directory.read_result()
    if result is None:
        raise RecordError(f"{setting}={path} has no result.json: the run has not begun")
    name = model_name(result, run.model)
    shapes, _ = count_model(run.model, name)
    weights = directory.load_best(device)
    model = build_with(run.model, shapes, weights, str(directory.best))
    return Trained(real_directory(path), run, result, model.to(device).eval(), build_pipeline(run))


def data_of(trained: Trained, download: bool | None = None) -> Dataset:
    """Load the data set that a run was trained on; of `auto`, the one that it took.

    `download`: as its config says where that is None. Raises DataError where it is not here, and
    OtherData where another one is.
    """
    recorded = trained.result.get("data") or {}
    data = trained.run.data
    if data.name == "auto":
        data = replace(data, name=recorded.get("name", data.name))
    if download is not None:
        data = replace(data, download=download)
    dataset = build_dataset(replace(trained.run, data=data))
    known = recorded.get("fingerprint")
    if known not in (None, dataset.fingerprint):
        raise OtherData(
            f"{dataset.name} is not the data that it was trained on (fingerprint "
            f"{dataset.fingerprint}, not {known})",
            trained.path,
        )
    return dataset


def real_directory(path: str) -> Path:
    """Return where a run's files are: best/ holds links to those of the run beside it.

    Where the file system has no links, it says which run that is.
    """
    given = Path(path)
    if not (given / ".hydra").exists():
        with suppress(OSError, ValueError):
            named = given.parent / (given / BEST_RUN).read_text(encoding="utf-8").strip()
            if named.name.isdigit() and named.parent == given.parent and named.is_dir():
                return named
    real = (given / ".hydra").resolve().parent
    return real if real.parent == given.resolve().parent else given


def build_with(
    node: Any, shapes: nn.Module, weights: dict[str, torch.Tensor], source: str
) -> nn.Module:
    """Build a model with its weights; `shapes` is the same model on the meta device.

    Nothing is allocated before the weights are known to fit. Raises RecordError, naming the source,
    where they do not.
    """
    _check_fit(shapes, weights, source)
    model = build_model(node)
    load_weights(model, weights, source)
    return model


def _check_fit(shapes: nn.Module, weights: dict[str, torch.Tensor], source: str) -> None:
    expected = shapes.state_dict()
    kind = type(shapes).__name__
    for name in sorted(expected.keys() ^ weights.keys()):
        side = "lacks" if name in expected else "has"
        raise RecordError(f"{source} does not fit {kind}: it {side} {shortened(name)}")
    for name, tensor in expected.items():
        found = weights[name]
        if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            raise RecordError(
                f"{source} does not fit {kind}: {name} is {_described(found)}, not "
                f"{_described(tensor)}"
            )
        if found.is_floating_point() and bool(torch.isnan(found).any()):
            raise RecordError(f"{source} is damaged: {name} has values that are not numbers")


def _described(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor], source: str) -> None:
    """Give a model its weights. Raises RecordError, naming the source, where they do not fit."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise RecordError(
            f"{source} does not fit {type(model).__name__}: {shortened(error)}"
        ) from error
