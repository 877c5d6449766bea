"""Whether a checkpoint is of this run, before anything of it is taken over.

`torch.load(weights_only=True)` runs no code, but gives whatever plain data and tensors are in the
file. Everything here raises ValueError in words that follow "... is damaged: ".
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_sweep.text import shortened
from mnist_sweep.training.loop import Training
from mnist_sweep.untrusted_files import NUMBER, TEXT, WHOLE, check_kinds, check_regular

STATE = {"fingerprint": TEXT, "seconds": NUMBER}


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Return a checkpoint's contents, on a device; a small file that becomes huge is refused."""
    check_regular(path)
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed, which torch does not write")
    state: Any = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise ValueError(f"it holds {shortened(repr(state))}, not a mapping")
    # A tensor that repeats one number may claim any size until somebody copies it.
    if sum(tensor.nbytes for tensor in _tensors(state)) > path.stat().st_size:
        raise ValueError("its tensors are larger than the file")
    return state if device.type == "cpu" else torch.load(path, device, weights_only=True)


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _tensors(value)


def check_checkpoint(state: Mapping[str, Any], training: Training) -> None:
    """Check that a checkpoint's contents are of the kinds that a run's own would be."""
    check_kinds(state, STATE, ("training", "fingerprint", "seconds"))
    found, own = state["training"], training.state_dict()
    optimizer = own.pop("optimizer")
    _check_alike(found, own, "training")
    check_kinds(found, {"epoch": WHOLE}, ("epoch",))
    _check_optimizer(found.get("optimizer"), optimizer, training)


def _check_optimizer(found: Any, own: dict[str, Any], training: Training) -> None:
    """Check the optimizer's settings against a fresh one's, its tensors against the parameters."""
    _check_alike(found, own | {"state": {}}, "training.optimizer")
    parameters = [p for group in training.optimizer.param_groups for p in group["params"]]
    for number, entries in found["state"].items():
        where = f"training.optimizer.state.{shortened(number)}"
        if number not in range(len(parameters)) or not isinstance(entries, dict):
            raise ValueError(f"{where} belongs to no parameter")
        for name, value in entries.items():
            if isinstance(value, Tensor) and value.shape not in ((), parameters[number].shape):
                raise ValueError(f"{where}.{name} has the shape {list(value.shape)}")


def _check_alike(found: Any, own: Any, where: str) -> None:
    """Check that something is of the kind of the run's own, entry by entry where it has entries.

    What is None in either may be there or not. Lists may be of any length.
    """
    if found is None or own is None:
        return
    if isinstance(own, Tensor):
        alike = isinstance(found, Tensor) and (found.shape, found.dtype) == (own.shape, own.dtype)
    elif isinstance(own, Mapping):
        alike = isinstance(found, Mapping)
    elif isinstance(own, bool):
        alike = isinstance(found, bool)
    elif isinstance(own, int | float):
        alike = isinstance(found, int | float)
    elif isinstance(own, list | tuple):
        alike = isinstance(found, list | tuple)
    else:
        alike = isinstance(found, type(own))
    if not alike:
        raise ValueError(f"{where} is {shortened(repr(found))}, unlike this run's")
    if isinstance(own, Mapping) and isinstance(found, Mapping):
        absent = [key for key in own if key not in found]
        if absent:
            raise ValueError(f"{where} has no {', '.join(map(str, absent))}")
        for key in own:
            _check_alike(found[key], own[key], f"{where}.{key}")
    elif isinstance(own, list | tuple) and isinstance(found, list | tuple) and own:
        for position, value in enumerate(found):
            _check_alike(value, own[0], f"{where}[{position}]")
