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


def check_checkpoint(
    state: Mapping[str, Any], training: Training, stepped: Mapping[Any, Any]
) -> None:
    """Check that a checkpoint's contents are of the kinds that a run's own would be.

    `stepped`: what the run's optimizer has of each parameter, by its number, after a step.
    """
    check_kinds(state, STATE, ("training", "fingerprint", "seconds"))
    found, own = state["training"], training.state_dict()
    optimizer = own.pop("optimizer")
    _check_alike(found, own, "training")
    check_kinds(found, {"epoch": WHOLE}, ("epoch",))
    _check_alike(found.get("optimizer"), optimizer | {"state": {}}, "training.optimizer")
    parameters = [p for group in training.optimizer.param_groups for p in group["params"]]
    for number, entries in found["optimizer"]["state"].items():
        where = f"training.optimizer.state.{shortened(number)}"
        if number not in range(len(parameters)) or not isinstance(entries, dict):
            raise ValueError(f"{where} belongs to no parameter")
        own_entries = stepped.get(number, {})
        _check_alike(entries, own_entries, where)
        for name in entries.keys() - own_entries.keys():  # made in a later step than the first
            value = entries[name]
            if isinstance(value, Tensor) and value.numel() > parameters[number].numel():
                raise ValueError(f"{where}.{shortened(name)} has the shape {list(value.shape)}")


def _check_alike(found: Any, own: Any, where: str) -> None:
    """Check that something is of the kind of the run's own, entry by entry where it has entries.

    What is None in either may be there or not. Lists may be of any length: where it is another, the
    first entry of the run's own stands for all.
    """
    if found is None or own is None:
        return
    if _kind(found) != _kind(own):
        raise ValueError(f"{where} is {shortened(repr(found))}, unlike this run's")
    if isinstance(own, Mapping):
        absent = [key for key in own if key not in found]
        if absent:
            raise ValueError(f"{where} has no {', '.join(map(str, absent))}")
        for key in own:
            _check_alike(found[key], own[key], f"{where}.{key}")
    elif isinstance(own, list | tuple) and own:
        expected = own if len(own) == len(found) else [own[0]] * len(found)
        for position, (value, other) in enumerate(zip(found, expected, strict=True)):
            _check_alike(value, other, f"{where}[{position}]")


def _kind(value: Any) -> Any:
    """Return what a value and the run's own have in common, whatever they say."""
    if isinstance(value, Tensor):
        return value.shape, value.dtype
    if isinstance(value, bool):  # which is an int, too
        return bool
    kinds = (int | float, Mapping, list | tuple)
    return next((kind for kind in kinds if isinstance(value, kind)), type(value))
