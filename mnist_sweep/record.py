"""The run directory: metrics.jsonl, result.json and the checkpoints."""

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mnist_sweep.errors import UserError
from mnist_sweep.files import replacing
from mnist_sweep.fit import Epoch

# What result.json's `status` says of a run that has come to its end; a diverged one to a bad one.
COMPLETE, PRUNED, DIVERGED = "complete", "pruned", "diverged"


class RecordError(UserError):
    """A run directory cannot be written to, or cannot be gone on from."""


class RunDirectory:
    """Reads and writes one run's files. Whole files are replaced atomically, lines are flushed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.result = path / "result.json"
        self.best = path / "checkpoints" / "best.safetensors"
        self.last = path / "checkpoints" / "last.pt"

    def start(self) -> None:
        """Prepare an empty run directory. Raises RecordError when it already holds a run."""
        if self.metrics.exists() or self.result.exists():
            raise RecordError(
                f"{self.path} already holds a run: go on with resume={self.path}, or choose "
                "another hydra.run.dir"
            )
        self.best.parent.mkdir(parents=True, exist_ok=True)

    def forget(self) -> None:
        """Drop the epochs and the checkpoint, for a run that has to start again."""
        self.last.unlink(missing_ok=True)
        self.best.parent.mkdir(parents=True, exist_ok=True)
        self.keep_metrics(0)

    def append_metrics(self, epoch: Epoch) -> None:
        """Add an epoch's line; figures that are not finite numbers become null."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_finite(asdict(epoch))) + "\n")
            file.flush()

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the recorded epochs; a last line cut short by a kill is left out."""
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return [_parsed(line, self.metrics) for line in lines]

    def keep_metrics(self, epochs: int) -> None:
        """Drop the lines after the last checkpoint, since those epochs will be run again."""
        kept = [json.dumps(line) + "\n" for line in self.read_metrics() if line["epoch"] <= epochs]
        _replace(self.metrics, "".join(kept).encode())

    def write_result(self, result: dict[str, Any]) -> None:
        """Write result.json; figures that are not finite numbers become null."""
        _replace(self.result, (json.dumps(_finite(result), indent=2) + "\n").encode())

    def read_result(self) -> dict[str, Any] | None:
        """Return what result.json holds, or None where there is none."""
        if not self.result.exists():
            return None
        return _parsed(self.result.read_text(encoding="utf-8", errors="replace"), self.result)

    def save_best(self, model: nn.Module) -> None:
        """Save the weights that the run keeps."""
        save_weights(model, self.best)

    def load_best(self, device: torch.device) -> dict[str, Tensor]:
        """Return the weights that the run kept, on a device. Raises RecordError without them."""
        return read_weights(self.best, device)

    def save_last(self, state: dict[str, Any]) -> None:
        """Save everything that going on from this epoch needs."""
        with replacing(self.last) as temporary:
            torch.save(state, temporary)

    def load_last(self, device: torch.device) -> dict[str, Any]:
        """Return the last epoch's state with its tensors on a device.

        Raises RecordError when there is no whole checkpoint to go on from.
        """
        if not self.last.exists():
            raise RecordError(f"{self.path} cannot be gone on with: no epoch of it was finished")
        try:
            state: dict[str, Any] = torch.load(self.last, map_location=device, weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise RecordError(f"{self.last} is damaged: {str(error).splitlines()[0]}") from error
        return state


def save_weights(model: nn.Module, path: Path) -> None:
    """Write a model's weights as safetensors."""
    with replacing(path) as temporary:
        # safetensors refuses strided views and shared storage: channels_last weights are both. Its
        # save_file would make a file that nobody else may read.
        temporary.write_bytes(save(_plain(model.state_dict())))


def read_weights(path: Path, device: torch.device) -> dict[str, Tensor]:
    """Return the weights of a safetensors file, on a device. Raises RecordError."""
    try:
        return load_file(path, device=str(device))
    except (OSError, SafetensorError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordError(f"{path} is damaged: {error}") from error
    if not isinstance(parsed, dict):
        raise RecordError(f"{path} is damaged: it holds {text[:40]!r}")
    return parsed


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold: NaN and infinities."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _replace(path: Path, content: bytes) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
