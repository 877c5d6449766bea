"""The figures in docs/results: which files there are, and what is read from them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_sweep.confirm.intervals import Interval

FOLDER = Path(__file__).parents[2] / "docs" / "results"
TAUGHT = "_taught"  # how the files of networks that had a teacher end


@dataclass(frozen=True)
class Budget:
    """The largest number of parameters allowed, and the words for it in tables."""

    limit: int
    words: str


BUDGETS = {
    "best_20k": Budget(19_999, "fewer than 20,000"),
    "best_8k": Budget(8_000, "at most 8,000"),
    "best_2k": Budget(2_000, "at most 2,000"),
}


@dataclass(frozen=True)
class Network:
    """A confirmed network; accuracies are fractions, of test images."""

    file: str
    parameters: int
    epochs: int
    test: Interval
    summary: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it was trained with."""
        settings: Mapping[str, Any] = self.summary["configurations"][0]["settings"]
        return settings

    @property
    def by_seed(self) -> dict[str, float]:
        """The accuracies by their seeds."""
        seeds = self.summary["configurations"][0]["seeds"]
        return {seed: found["test_acc"] for seed, found in seeds.items()}

    @property
    def accuracies(self) -> list[float]:
        """One accuracy a seed."""
        return list(self.by_seed.values())


def read(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return all summaries by the names of their files, without .json."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def network(name: str, summaries: Mapping[str, Mapping[str, Any]]) -> Network | None:
    """Return the leader of a confirmation; None where there is no such file."""
    summary = summaries.get(name)
    if summary is None:
        return None
    leader = summary["configurations"][0]
    return Network(
        name,
        leader["parameters"],
        leader["epochs"],
        Interval(**leader["test_acc"]),
        summary,
    )


def networks(summaries: Mapping[str, Mapping[str, Any]], ending: str = "") -> list[Network]:
    """Return the networks of all budgets that there are, the largest budget first."""
    found = (network(name + ending, summaries) for name in BUDGETS)
    return [each for each in found if each is not None]


def same_without_teacher(
    taught: Network, summaries: Mapping[str, Mapping[str, Any]]
) -> Network | None:
    """Return the network of all the same settings that had no teacher; None where there is none.

    That of the same budget first.
    """
    names = [taught.file.removesuffix(TAUGHT), *summaries]
    found = (
        network(name, summaries)
        for name in names
        if "configurations" in summaries.get(name, {}) and not name.endswith(TAUGHT)
    )
    alike = (each for each in found if each is not None and _same_but_teacher(each, taught))
    return next(alike, None)


def _same_but_teacher(alone: Network, taught: Network) -> bool:
    def without(network: Network) -> dict[str, Any]:
        return {name: value for name, value in network.settings.items() if name != "distill"}

    has_none = (alone.settings.get("distill") or {}).get("teacher") is None
    return has_none and alone.epochs == taught.epochs and without(alone) == without(taught)


def others_within(limit: int, summaries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the best network of others within a budget."""
    within = [each for each in summaries["others"]["networks"] if each["parameters"] <= limit]
    best: Mapping[str, Any] = max(within, key=lambda each: each["test_acc"])
    return best
