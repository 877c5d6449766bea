"""A finished run, read back from its directory: its config, its figures, its network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mnist_sweep.build import build_model, build_pipeline
from mnist_sweep.config import RunConfig, check, load_recorded
from mnist_sweep.data import Pipeline
from mnist_sweep.record import RecordError, RunDirectory


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
        return str(self.result.get("model") or self.run.model["_target_"].rpartition(".")[2])


def load_trained(path: str, device: torch.device) -> Trained:
    """Read a run directory, its network on a device.

    Raises ConfigError and RecordError where it is none, or has kept no weights.
    """
    run = check(load_recorded(path, "run"))
    directory = RunDirectory(Path(path))
    result = directory.read_result()
    if result is None:
        raise RecordError(f"run={path} has no result.json: it has not begun")
    model = build_model(run.model)
    load_weights(model, directory.load_best(device), str(directory.best))
    return Trained(Path(path), run, result, model.to(device).eval(), build_pipeline(run))


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor], source: str) -> None:
    """Give a model its weights. Raises RecordError, naming the source, where they do not fit."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise RecordError(f"{source} is not of {type(model).__name__}: {reason[:200]}") from error
