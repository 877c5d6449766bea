"""Which change mattered: the way from the default configuration to the best, change by change.

After Fawcett and Hoos, "Analysing differences between algorithm configurations through ablation",
Journal of Heuristics 22(4), 2016. They choose each next change among all that are left, which takes
n(n + 1) / 2 configurations for n changes; here the order is that of each change alone on the
default, which takes at most 2n - 2.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.config_checks import check
from mnist_sweep.confirm.candidates import Candidate
from mnist_sweep.confirm.comparisons import comparison
from mnist_sweep.confirm.conclude import Arm, Terms, independent, is_usable
from mnist_sweep.confirm.conclusion import Ablation, Step
from mnist_sweep.confirm.crossed import Crossed
from mnist_sweep.confirm.intervals import holm, over_splits
from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.confirm.scores import ACCURACY, LOSS, compare
from mnist_sweep.errors import UserError
from mnist_sweep.run.build import check_budget, check_objects

ORDER_SEEDS = 3  # that decide in which order changes are made
FEW = 4  # changes that a title counts instead of naming them
MOST_NAMED = 100  # characters of a folder's name
WHOLE = ("keep", "early_stopping", "budget", "augmentation")  # nodes whose settings go together


@dataclass(frozen=True)
class Change:
    """A setting, or a node of them, that two configurations differ in.

    `before` and `after` are as people say them; `name` is its full key.
    """

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} {self.before} -> {self.after}"


def changes_between(default: Candidate, best: Candidate) -> list[Change]:
    """Return what the best differs in from the default.

    A model, optimizer or schedule of another class, or of other settings, is one change with all
    that belongs to it; so is a node whose settings make no sense alone.
    """
    one, other = default.settings, best.settings
    names = [name for key in one for name in _different(key, one[key], other[key])]
    said = [(name, _said(name, default), _said(name, best)) for name in names]
    return [
        Change(name, before, after if after != before else f"{after} with other settings")
        for name, before, after in said
    ]


def _different(name: str, one: Any, other: Any) -> list[str]:
    if one == other:
        return []
    nodes = isinstance(one, Mapping) and isinstance(other, Mapping)
    if not nodes or one.keys() != other.keys() or name.rpartition(".")[2] in WHOLE:
        return [name]
    if one.get("_target_") != other.get("_target_"):
        return [name]
    if "_target_" not in one and "." not in name and name != "data":
        return [name]
    return [each for key in one for each in _different(f"{name}.{key}", one[key], other[key])]


def _said(name: str, candidate: Candidate) -> str:
    """Return a setting's value in a candidate, a node by its class and what is told of it."""
    value = OmegaConf.select(candidate.config, name)
    if not isinstance(value, DictConfig):
        return f"{value:.4g}" if isinstance(value, float) else str(value).replace(" ", "")
    plain = OmegaConf.to_container(value, resolve=True)
    assert isinstance(plain, dict)
    if "_target_" in plain:
        return str(plain["_target_"]).rpartition(".")[2]
    return ",".join(f"{key!s}={each}" for key, each in plain.items())


def with_changes(default: Candidate, best: Candidate, made: Sequence[Change]) -> Candidate:
    """Return the default with some changes to the best. Raises UserError where that is no run."""
    config = default.config.copy()
    for change in made:
        value = OmegaConf.select(best.config, change.name)
        OmegaConf.update(config, change.name, value, merge=False, force_add=True)
    names = [change.name for change in made]
    model = best.model if "model" in names else default.model
    run = check(config)
    check_budget(run, model)
    check_objects(run)
    called = ", ".join(names) if len(names) < FEW else f"{len(names)} changes"
    made_of = "-".join(sorted(names))
    if len(made_of) > MOST_NAMED:  # a folder's name has its limits
        made_of = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    key = f"{default.key}-to-{best.key}-{made_of}"
    return Candidate(key, f"{default.title} + {called}", config, {"model": model})


def alone(default: Candidate, best: Candidate, changes: Sequence[Change]) -> list[Candidate | None]:
    """Return the default with each change alone; None where that is no run, or not in the budget.

    With one change there is nothing to order.
    """
    found: list[Candidate | None] = []
    for change in changes if len(changes) > 1 else []:
        try:
            found.append(with_changes(default, best, [change]))
        except UserError:
            found.append(None)
    return found


def ordered(
    changes: Sequence[Change], single: Sequence[Candidate | None], runs: Sequence[SeedRun], by: str
) -> list[Change]:
    """Return changes in the order of what each brings alone, by validation; the best first.

    `runs`: of the single changes. What cannot be made alone is last.
    """

    def gain(position: int) -> float:
        candidate = single[position] if single else None
        if candidate is None:
            return -float("inf")
        own = [run.result for run in runs if run.candidate.key == candidate.key]
        figures = [float(result[by]) for result in own if is_usable(result)]
        if not figures:
            return -float("inf")
        mean = sum(figures) / len(figures)
        return -mean if by == LOSS else mean

    return [changes[n] for n in sorted(range(len(changes)), key=lambda n: -gain(n))]


def way(
    default: Candidate, best: Candidate, order: Sequence[Change]
) -> list[tuple[list[Change], Candidate]]:
    """Return the steps from the default to the best, each with what it changes.

    A change after which the configuration is no run, or over its budget, is made with the next.
    """
    steps: list[tuple[list[Change], Candidate]] = []
    pending: list[Change] = []
    for count, change in enumerate(order, start=1):
        pending.append(change)
        if count == len(order):
            steps.append((pending, best))
            break
        try:
            steps.append((pending, with_changes(default, best, order[:count])))
        except UserError:
            continue
        pending = []
    return steps


def ablation(
    first: Arm, steps: Sequence[tuple[list[Change], Arm]], order_seeds: int, terms: Terms
) -> Ablation:
    """Return what each step brought on test images, all of them together at 95%.

    A step of which fewer than two seeds are complete, or of several splits fewer than two are left,
    is left out, with those after it.
    """
    known: list[tuple[list[Change], Arm]] = []
    for changes, arm in steps:
        if independent(arm.test.values(), terms) < 2:
            break
        known.append((changes, arm))
    found = _differences([first, *(arm for _, arm in known)])
    p_values = dict(zip(found, holm([each.p_value() for each in found.values()]), strict=True))
    listed = []
    for n, (changes, arm) in enumerate(known):
        pair = found.get(n)
        before = known[n - 1][1] if n else first
        listed.append(
            Step(
                [str(change) for change in changes],
                over_splits([(run.split, float(run.result[ACCURACY])) for run in arm.usable]),
                over_splits(
                    [(each.split, float(each.values.mean())) for each in arm.test.values()]
                ),
                None
                if pair is None
                else comparison(
                    before.title,
                    len(arm.test.keys() & before.test.keys()),
                    pair,
                    p_values[n],
                    len(found),
                    terms.margin,
                ),
            )
        )
    return Ablation(first.title, order_seeds, listed)


def _differences(arms: Sequence[Arm]) -> dict[int, Crossed]:
    """Return by how much each arm is better than the one before, by its place after the first."""
    pairs = (compare(later.test, before.test) for before, later in pairwise(arms))
    return {n: found for n, found in enumerate(pairs) if found is not None}
