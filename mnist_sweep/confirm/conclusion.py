"""The conclusion of a confirmation: each configuration's figures over its seeds, the better one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.intervals import (
    LEVEL,
    Hits,
    Interval,
    of_difference,
    over_seeds,
    shared_level,
)
from mnist_sweep.confirm.runs import SeedRun
from mnist_sweep.files import replacing
from mnist_sweep.run.directory import COMPLETE
from mnist_sweep.text import one_line, relative
from mnist_sweep.untrusted_files import (
    COUNTED,
    LINE,
    NUMBER,
    TEXT,
    WHOLE,
    Check,
    Kinds,
    check_kinds,
    is_number,
    is_whole,
    parse_json,
)

CONFIRMATION = "confirmation"  # what folders that hold one are called, or begin with
FILE = "confirmation.json"


MOST_IMAGES = 10_000_000  # of a test split, a thousand times MNIST's

INDICES = Check(
    "a list of whole numbers",
    lambda value: isinstance(value, list) and all(map(is_whole, value)),
)
NUMBERS = Check(
    "a list of numbers", lambda value: isinstance(value, list) and all(map(is_number, value))
)
FLOAT = Check(
    "a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)
)
INTERVAL: Kinds = dict.fromkeys(("mean", "low", "high"), FLOAT)
STANDING: Kinds = {
    "title": TEXT,
    "model": LINE,
    "parameters": WHOLE,
    "epochs": WHOLE,
    "searched": NUMBER,
    "seeds": INDICES,
    "accuracies": NUMBERS,
    "diverged": INDICES,
    **dict.fromkeys(("val_acc", "val_loss", "test_acc"), INTERVAL),
}
COMPARISON: Kinds = {"title": TEXT, "seeds": WHOLE, "difference": INTERVAL}
CONCLUSION: Kinds = {
    "data": TEXT,
    "images": WHOLE,
    "ranked_by": TEXT,
    "level": NUMBER,
    "unsettled": Check(
        "a list of texts",
        lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value),
    ),
}


@dataclass(frozen=True)
class Standing:
    """One configuration: accuracies as fractions, losses in nats, over seeds.

    `searched`: validation accuracy of the run that it is taken from, None where that was another
    data set or number of epochs. `seeds` and `accuracies`, one test accuracy a seed, are of the
    runs that are complete with finite figures; `diverged` are the seeds of the others.
    """

    title: str
    model: str
    parameters: int
    epochs: int
    searched: float | None
    seeds: list[int]
    accuracies: list[float]
    diverged: list[int]
    val_acc: Interval
    val_loss: Interval
    test_acc: Interval


@dataclass(frozen=True)
class Comparison:
    """The difference of the first configuration's test accuracy from another's."""

    title: str
    seeds: int
    difference: Interval


@dataclass(frozen=True)
class Conclusion:
    """Configurations in the order of what `ranked_by` says, on validation images; the first leads.

    The intervals of all `comparisons` hold together at `level`; each standing's holds alone.
    """

    data: str
    images: int
    ranked_by: str
    level: float
    standings: list[Standing]
    comparisons: list[Comparison]
    unsettled: list[str]


def conclude(runs: Sequence[SeedRun], ranked_by: str) -> Conclusion:
    """Return the conclusion of runs that are all done.

    `ranked_by`: val_acc or val_loss. Test decides nothing but the comparisons. A configuration of
    which fewer than two seeds are complete is `unsettled`. Raises ConfirmError where all are.
    """
    _check_same_data(runs)
    by_candidate: dict[str, list[SeedRun]] = {}
    for run in runs:
        by_candidate.setdefault(run.candidate.key, []).append(run)
    settled, unsettled = [], []
    for own in by_candidate.values():
        usable = [run for run in own if _is_usable(run.result)]
        if len(usable) < 2:
            unsettled.append(own[0].candidate.title)
            continue
        hits = _hits(usable)
        settled.append((_standing(own, usable, hits), hits))
    if not settled:
        raise ConfirmError(
            "no configuration has two seeds that did not diverge: there is nothing to compare"
        )
    settled.sort(key=lambda each: _rank(each[0], ranked_by))
    (leader, hits), *others = settled
    # The networks that are compared have also chosen who leads, and so which pairs are shown: what
    # holds for these holds if it does for every pair.
    level = shared_level(len(settled) * (len(settled) - 1) // 2)
    comparisons = []
    for other, theirs in others:
        shared = [seed for seed in leader.seeds if seed in other.seeds]
        if len(shared) < 2:
            unsettled.append(other.title)
            continue
        ours = hits[[leader.seeds.index(seed) for seed in shared]]
        its = theirs[[other.seeds.index(seed) for seed in shared]]
        comparisons.append(Comparison(other.title, len(shared), of_difference(ours, its, level)))
    return Conclusion(
        data=runs[0].result["data"]["name"],
        images=hits.shape[1],
        ranked_by=ranked_by,
        level=LEVEL,
        standings=[standing for standing, _ in settled],
        comparisons=comparisons,
        unsettled=unsettled,
    )


def _check_same_data(runs: Sequence[SeedRun]) -> None:
    """Refuse runs between which the data have changed, as those of data=auto can."""
    by_fingerprint: dict[str, SeedRun] = {}
    for run in runs:
        by_fingerprint.setdefault(run.result["data"]["fingerprint"], run)
    if len(by_fingerprint) > 1:
        one, other, *_ = by_fingerprint.values()
        raise ConfirmError(
            f"{relative(one.directory)} was trained on other data than {relative(other.directory)}:"
            " choose another folder with to="
        )


def _rank(standing: Standing, by: str) -> float:
    return standing.val_loss.mean if by == "val_loss" else -standing.val_acc.mean


def _is_usable(result: dict[str, Any]) -> bool:
    """Whether a run is complete, and of finite figures."""
    figures = (result.get("val_acc"), result.get("val_loss"))
    return result.get("status") == COMPLETE and None not in figures


def _standing(own: Sequence[SeedRun], usable: Sequence[SeedRun], hits: Hits) -> Standing:
    results = [run.result for run in usable]
    candidate = own[0].candidate
    accuracies = hits.mean(1).tolist()

    def figure(name: str) -> Interval:
        return over_seeds([float(result[name]) for result in results])

    return Standing(
        title=candidate.title,
        model=candidate.model,
        parameters=results[0]["parameters"],
        epochs=own[0].epochs,
        searched=_searched(candidate.result, results[0]),
        seeds=[run.seed for run in usable],
        accuracies=accuracies,
        diverged=[run.seed for run in own if run not in usable],
        val_acc=figure("val_acc"),
        val_loss=figure("val_loss"),
        test_acc=over_seeds(accuracies),
    )


def _searched(before: dict[str, Any], fresh: dict[str, Any]) -> float | None:
    """Return the figure of the run that was chosen, where it can be held against the fresh ones."""

    def work(result: dict[str, Any]) -> tuple[Any, Any]:
        return (result.get("data") or {}).get("fingerprint"), result.get("max_epochs")

    return before.get("val_acc") if work(before) == work(fresh) else None


def _hits(runs: Sequence[SeedRun]) -> Hits:
    """Return which test images each run has right: [seeds, images]."""
    rows = []
    for run in runs:
        errors = _errors(run.errors)
        row = np.ones(errors["images"], dtype=np.bool_)
        row[errors["wrong"]] = False
        rows.append(row)
    return np.stack(rows)


def _errors(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        check_kinds(found, {"images": COUNTED, "wrong": INDICES}, ("images", "wrong"))
        if found["images"] > MOST_IMAGES or max(found["wrong"], default=0) >= found["images"]:
            raise ValueError(f"images and wrong contradict each other: {found['images']} images")
    except (OSError, ValueError) as error:
        raise ConfirmError(
            f"{path} is damaged ({one_line(error)}); delete it, and the same command writes it "
            "again"
        ) from error
    return found


def write_conclusion(conclusion: Conclusion, folder: Path) -> Path:
    """Write a conclusion as JSON; return where."""
    path = folder / FILE
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(conclusion), indent=2) + "\n", encoding="utf-8")
    return path


def read_conclusions(study: Path, names: str = f"{CONFIRMATION}*") -> list[Conclusion]:
    """Return the conclusions of the confirmations in a study's folder, by name.

    `names` is a pattern of their folders' names. Raises ConfirmError for a file that is damaged.
    """
    return [_read(path) for path in sorted(study.glob(f"{names}/{FILE}"))]


def _read(path: Path) -> Conclusion:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        check_kinds(found, CONCLUSION, tuple(CONCLUSION))
        for standing in found["standings"]:
            check_kinds(standing, STANDING, ("title", "model", "parameters", "epochs"))
        for comparison in found["comparisons"]:
            check_kinds(comparison, COMPARISON, tuple(COMPARISON))
        found["standings"] = [Standing(**_intervals(each)) for each in found["standings"]]
        found["comparisons"] = [Comparison(**_intervals(each)) for each in found["comparisons"]]
        return Conclusion(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfirmError(
            f"{path} is damaged ({one_line(error)}); delete it, and confirm the study again"
        ) from error


def _intervals(found: dict[str, Any]) -> dict[str, Any]:
    return {k: Interval(**v) if isinstance(v, dict) else v for k, v in found.items()}
