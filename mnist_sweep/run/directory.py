"""The run directory: metrics.jsonl, result.json and the checkpoints."""

import io
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mnist_sweep.cli.printed_commands import entry, override, shell
from mnist_sweep.errors import UserError
from mnist_sweep.files import remove_leftovers, replacing
from mnist_sweep.formats import KEY, RUN, check_format
from mnist_sweep.run.checkpoint import read_checkpoint
from mnist_sweep.text import one_line
from mnist_sweep.training.epochs import Epoch
from mnist_sweep.untrusted_files import (
    COUNTED,
    LINE,
    MAPPING,
    NUMBER,
    SIZES,
    TEXT,
    TRUTH,
    WHOLE,
    Check,
    Kinds,
    check_kinds,
    check_regular,
    parse_json,
    text_of,
)

# What result.json's `status` says of a run that has ended, well or diverged.
COMPLETE, PRUNED, DIVERGED = "complete", "pruned", "diverged"


# The parts of a run whose epochs had another machine, threads or versions than its last.
PARTS = Check(
    "a list of mappings with their epochs",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(part, dict) and COUNTED.holds(part.get("epochs")) for part in value)
    ),
)
# What other programs, and readers of ours, may rely on in what was written; None where unknown.
RESULT: Kinds = {
    KEY: WHOLE,
    "status": TEXT,
    "reason": TEXT,
    "name": LINE,
    "notes": TEXT,
    "advice": TEXT,
    "model": LINE,
    "parameters": WHOLE,
    "multiply_adds": WHOLE,
    "widths": LINE,
    "seed": WHOLE,
    "data": {"name": LINE, "reason": TEXT, "sizes": SIZES, "fingerprint": LINE},
    "teacher": {"path": TEXT, "model": LINE, "parameters": WHOLE, "fingerprint": LINE},
    "device": TEXT,
    "processor": TEXT,
    "threads": WHOLE,
    "precision": TEXT,
    "cuda_graph": TRUTH,
    "study": TEXT,
    "trial": WHOLE,
    "max_epochs": WHOLE,
    "earlier": PARTS,
    "started_again": TEXT,
    "weights_removed": TEXT,
    "hostname": TEXT,
    "versions": MAPPING,
    "git_commit": TEXT,
    "epochs": WHOLE,
    "best_epoch": WHOLE,
    **dict.fromkeys(("val_loss", "val_acc", "test_loss", "test_acc", "seconds"), NUMBER),
}
EPOCH: Kinds = {"epoch": COUNTED} | {
    field.name: NUMBER for field in fields(Epoch) if field.name != "epoch"
}


class RecordError(UserError):
    """A run directory that cannot be written to, read or resumed."""


class RunDirectory:
    """The files of one run. Whole files are replaced atomically, lines are flushed.

    `before_writing` is called at the last moment before something is written, and may raise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before_writing: Callable[[], object] = lambda: None
        self.metrics = path / "metrics.jsonl"
        self.result = path / "result.json"
        self.best = path / "checkpoints" / "best.safetensors"
        self.last = path / "checkpoints" / "last.pt"

    def check_new(self, setting: str = "hydra.run.dir") -> None:
        """Raise RecordError where the directory, the value of a setting, already holds a run."""
        if self.metrics.exists() or self.result.exists():
            resume = shell([override("resume", str(self.path))])
            raise RecordError(
                f"{self.path} already holds a run: resume it with {resume}, or choose "
                f"another {setting}"
            )

    def start(self) -> None:
        """Prepare an empty run directory. Raises RecordError when it already holds a run."""
        self.check_new()
        self.best.parent.mkdir(parents=True, exist_ok=True)

    def forget(self) -> None:
        """Drop the epochs and the checkpoint, for a run that has to start again."""
        self.last.unlink(missing_ok=True)
        self.best.parent.mkdir(parents=True, exist_ok=True)
        self.keep_metrics(0)

    def remove_leftovers(self) -> None:
        """Remove the halves of files that a killed process was writing."""
        for folder in (self.path, self.last.parent):
            remove_leftovers(folder)

    def append_metrics(self, epoch: Epoch) -> None:
        """Add an epoch's line; figures that are not finite numbers become null."""
        with self.metrics.open("a", encoding="utf-8") as file:
            self.before_writing()
            file.write(json.dumps(_finite(asdict(epoch))) + "\n")
            file.flush()
            os.fsync(file.fileno())  # before the checkpoint, which must not know of more epochs

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the recorded epochs; a last line cut short by a kill is left out."""
        if not self.metrics.exists():
            return []
        lines = _text(self.metrics).split("\n")[:-1]
        return [_parsed(line, self.metrics, EPOCH, ("epoch",)) for line in lines]

    def check_metrics(self, epochs: int) -> None:
        """Raise RecordError where not each of so many epochs is recorded, as after a power cut."""
        recorded = {line["epoch"] for line in self.read_metrics()}
        missing = [epoch for epoch in range(1, epochs + 1) if epoch not in recorded]
        if missing:
            raise RecordError(
                f"{self.metrics} lacks epoch {missing[0]}, although the checkpoint beside it is of "
                f"epoch {epochs}: train it again"
            )

    def keep_metrics(self, epochs: int) -> None:
        """Drop the lines after the last checkpoint, since those epochs will be run again."""
        kept = [json.dumps(line) + "\n" for line in self.read_metrics() if line["epoch"] <= epochs]
        self._replace(self.metrics, "".join(kept).encode())

    def write_result(self, result: dict[str, Any]) -> None:
        """Write result.json; figures that are not finite numbers become null."""
        self._replace(self.result, (json.dumps(_finite(result), indent=2) + "\n").encode())

    def read_result(self, required: Sequence[str] = ()) -> dict[str, Any] | None:
        """Return what result.json holds, or None where there is none.

        Raises RecordError for one that is damaged or lacks what is required, and FormatError for
        one of a later version.
        """
        if not self.result.exists():
            return None
        result = _parsed(_text(self.result), self.result, RESULT, required)
        check_format(str(self.path), result.get(KEY), RUN)
        return result

    def save_best(self, model: nn.Module) -> None:
        """Save the weights that the run keeps."""
        save_weights(model, self.best, self.before_writing)

    def load_best(self, device: torch.device) -> dict[str, Tensor]:
        """Return the weights that the run kept, on a device. Raises RecordError without them."""
        if not self.best.exists():
            why = (self.read_result() or {}).get("weights_removed")
            if why:
                again = entry("reproduce", run=str(self.path))
                raise RecordError(f"{self.best} was removed by {why}; train it again with {again}")
        return read_weights(self.best, device)

    def remove_weights(self, why: str) -> None:
        """Remove the kept weights of a finished run, after recording by what."""
        if self.best.exists():
            self.write_result((self.read_result() or {}) | {"weights_removed": why})
            self.best.unlink()

    def save_last(self, state: dict[str, Any]) -> None:
        """Save everything that resuming after this epoch needs."""
        content = io.BytesIO()
        torch.save(state, content)  # to a file, it makes a RuntimeError of a disk that is full
        with replacing(self.last) as temporary:
            temporary.write_bytes(content.getbuffer())
            self.before_writing()

    def load_last(self, device: torch.device) -> dict[str, Any]:
        """Return the last epoch's state with its tensors on a device.

        Raises RecordError when there is no whole checkpoint to resume from.
        """
        if not self.last.exists():
            raise RecordError(f"{self.path} cannot be resumed: no epoch of it was finished")
        try:
            return read_checkpoint(self.last, device)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise RecordError(f"{self.last} is damaged: {one_line(error)[:300]}") from error

    def _replace(self, path: Path, content: bytes) -> None:
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.before_writing()


def save_weights(
    model: nn.Module, path: Path, before_replacing: Callable[[], object] = lambda: None
) -> None:
    """Write a model's weights as safetensors."""
    with replacing(path) as temporary:
        # safetensors refuses strided views and shared storage: channels_last weights are both. Its
        # save_file would make a file that nobody else may read.
        temporary.write_bytes(save(plain_weights(model)))
        before_replacing()


def read_weights(path: Path, device: torch.device) -> dict[str, Tensor]:
    """Return the weights of a safetensors file, on a device. Raises RecordError."""
    try:
        check_regular(path)
        return load_file(path, device=str(device))
    except (OSError, ValueError, SafetensorError) as error:
        raise RecordError(f"{path} cannot be read: {one_line(error)}") from error


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {one_line(error)}") from error


def _parsed(text: str, path: Path, kinds: Kinds, required: Sequence[str] = ()) -> dict[str, Any]:
    try:
        parsed = parse_json(text)
        check_kinds(parsed, kinds, required)
    except ValueError as error:
        raise RecordError(f"{path} is damaged: {error}") from error
    return parsed


def plain_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of a model's weights on the CPU, in the plain layout."""
    state = model.state_dict().items()
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state}


def _finite(value: Any) -> Any:
    """Replace what JSON cannot hold: NaN and infinities."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
