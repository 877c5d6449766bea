"""Two recordings of one configuration, compared: figure by figure, and what they stood on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# An epoch's number, and what no two runs share.
NOT_COMPARED = ("epoch", "seconds", "images_per_second")
# Of result.json: what the kept weights, and the network, are.
KEPT = ("best_epoch", "val_loss", "val_acc", "test_loss", "test_acc", "parameters", "multiply_adds")
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Pair:
    """A figure then and now; None where it was no finite number."""

    then: float | None
    now: float | None

    @property
    def identical(self) -> bool:
        """Whether they are the same, bit for bit."""
        return self.then == self.now

    @property
    def difference(self) -> float:
        """Now less then; infinite where only one of them is a number."""
        if self.then is None or self.now is None:
            return 0.0 if self.identical else math.inf
        return self.now - self.then


@dataclass(frozen=True)
class RunComparison:
    """`epochs`: the figures by name, of each epoch that both have; `missing`: those only then.

    `kept`: the figures of result.json that both have. `weights`: the largest difference of a kept
    weight; None where either has none, or they have other shapes.
    """

    epochs: dict[int, dict[str, Pair]]
    missing: list[int]
    kept: dict[str, Pair]
    weights: float | None

    @property
    def identical(self) -> bool:
        """Whether nothing differs, bit for bit."""
        same = all(pair.identical for pair in self.kept.values())
        return same and self.within(0.0) and not self.weights

    def within(self, tolerance: float) -> bool:
        """Whether no epoch is missing, and no loss, accuracy or rate differs by more than that."""
        pairs = [pair for figures in self.epochs.values() for pair in figures.values()]
        pairs += [pair for name, pair in self.kept.items() if name != "best_epoch"]
        return not self.missing and all(abs(pair.difference) <= tolerance for pair in pairs)


def compare(
    then: Sequence[Mapping[str, Any]],
    now: Sequence[Mapping[str, Any]],
    result_then: Mapping[str, Any],
    result_now: Mapping[str, Any],
    weights: float | None,
) -> RunComparison:
    """Compare the lines of two metrics.jsonl and two results, the original first."""
    again = {int(line["epoch"]): line for line in now}
    epochs = {
        int(line["epoch"]): _pairs(line, again[line["epoch"]])
        for line in then
        if line["epoch"] in again
    }
    missing = [int(line["epoch"]) for line in then if line["epoch"] not in again]
    both = [name for name in KEPT if name in result_then and name in result_now]
    kept = {name: Pair(result_then[name], result_now[name]) for name in both}
    return RunComparison(epochs, missing, kept, weights)


def _pairs(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Pair]:
    """Return the figures of an epoch that both have: a later version may record more."""
    names = [name for name in then if name in now and name not in NOT_COMPARED]
    return {name: Pair(then[name], now[name]) for name in names}


def largest_difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float | None:
    """Return by how much two networks' weights differ at most; None for two kinds of network."""
    if {name: t.shape for name, t in one.items()} != {name: t.shape for name, t in other.items()}:
        return None
    largest = 0.0
    for name, tensor in one.items():
        if not torch.equal(tensor, other[name]):
            apart = (tensor.double() - other[name].double()).abs().max().item()
            largest = max(largest, apart)
    return largest


def surroundings(result: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run stood on besides its config, by name.

    Of a run that was resumed on something else, all of it in turn: "1, then 2".
    """
    nested = {
        "data": (result.get("data") or {}).get("fingerprint"),
        "teacher": (result.get("teacher") or {}).get("weights_sha256"),
        "layout": (result.get("layout") or {}).get("name"),
    }
    plain = ("threads", "device", "processor", "precision", "cuda_graph", "hostname", "git_commit")
    found = {name: result.get(name) for name in plain} | nested | (result.get("versions") or {})
    parts = [part | (part.get("versions") or {}) for part in result.get("earlier") or ()]
    return {name: _in_turn([*(p[name] for p in parts if name in p), found[name]]) for name in found}


def _in_turn(values: Sequence[Any]) -> str:
    said = [UNKNOWN if value is None else str(value) for value in values]
    return ", then ".join(text for n, text in enumerate(said) if n == 0 or text != said[n - 1])


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the surroundings that differ, then and now."""
    names = [*then, *(name for name in now if name not in then)]
    both = {name: (then.get(name, UNKNOWN), now.get(name, UNKNOWN)) for name in names}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}
