"""From runs that have ended to a conclusion: who leads, what is certain, what it is worth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mnist_sweep.confirm.candidates import ConfirmError
from mnist_sweep.confirm.comparisons import MARGIN, compare_all, power
from mnist_sweep.confirm.conclusion import Conclusion, Standing
from mnist_sweep.confirm.intervals import LEVEL, Interval, over_splits
from mnist_sweep.confirm.race import Dropped
from mnist_sweep.confirm.runs import SeedRun, scored
from mnist_sweep.confirm.scores import ACCURACY, LOSS, Scored
from mnist_sweep.run.directory import COMPLETE
from mnist_sweep.text import relative


@dataclass(frozen=True)
class Terms:
    """What runs are judged by; keys are those of candidates.

    `margin`: a fraction; `dropped`: by the race, None where there was none.
    """

    ranked_by: str
    margin: float = MARGIN
    dropped: Mapping[str, Dropped] | None = None
    default: str | None = None
    splits: int | None = None


@dataclass
class Arm:
    """One configuration's runs: all that were planned, and those of finite figures."""

    own: list[SeedRun]
    usable: list[SeedRun] = field(default_factory=list)
    test: dict[int, Scored] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its candidate's key."""
        return self.own[0].candidate.key

    @property
    def title(self) -> str:
        """Its candidate's title."""
        return self.own[0].candidate.title


def conclude(runs: Sequence[SeedRun], terms: Terms) -> Conclusion:
    """Return the conclusion of runs, as far as they are done.

    Test decides nothing but the comparisons. A configuration of which fewer than two seeds are
    complete, or of several splits fewer than two are left, is `unsettled`. Raises ConfirmError
    where all are.
    """
    _check_same_data(runs)
    arms = arms_of(runs)
    settled = [arm for arm in arms if independent(arm.usable, terms) >= 2]
    if not settled:
        raise ConfirmError(_nothing(runs))
    settled.sort(key=lambda arm: _place(arm, terms))
    leader, *others = settled
    compared = [arm for arm in others if is_tested(arm, terms)]
    found = compare_all([leader, *compared], terms.margin)
    unsettled = [arm.title for arm in arms if arm not in settled]
    unsettled += [arm.title for arm in compared if arm.title not in found]
    second = next((arm for arm in compared if not is_dropped(arm, terms)), None)
    titles = {arm.key: arm.title for arm in arms}
    return Conclusion(
        data=leader.usable[0].result["data"]["name"],
        images=max((each.values.size for each in leader.test.values()), default=0),
        ranked_by=terms.ranked_by,
        level=LEVEL,
        standings=[_standing(arm, terms, titles) for arm in settled],
        comparisons=list(found.values()),
        unsettled=unsettled,
        race=terms.dropped is not None,
        margin=terms.margin,
        default=titles.get(terms.default or ""),
        splits=terms.splits,
        missing=_missing(arms, terms),
        power=power(leader, second, found, len(compared) + 1),
    )


def arms_of(runs: Sequence[SeedRun]) -> list[Arm]:
    """Return the runs by configuration, with what the test images say of them."""
    arms: dict[str, Arm] = {}
    for run in runs:
        arm = arms.setdefault(run.candidate.key, Arm([]))
        arm.own.append(run)
        if is_usable(run.result):
            arm.usable.append(run)
            if run.errors.exists():
                arm.test[run.seed] = scored(run, run.errors, ACCURACY)
    return list(arms.values())


def is_usable(result: Mapping[str, Any]) -> bool:
    """Whether a run is complete, and of finite figures."""
    figures = (result.get(ACCURACY), result.get(LOSS))
    return result.get("status") == COMPLETE and None not in figures


def independent(runs: Iterable[SeedRun | Scored], terms: Terms) -> int:
    """Return how many independent draws some runs are: of several splits, the splits."""
    splits = [run.split for run in runs]
    return len(set(splits)) if (terms.splits or 1) > 1 else len(splits)


def is_dropped(arm: Arm, terms: Terms) -> bool:
    """Whether the race has dropped a configuration."""
    return arm.key in (terms.dropped or {})


def is_tested(arm: Arm, terms: Terms) -> bool:
    """Whether a configuration is compared on test images.

    Those that the race has left are, and the default: whether it is beaten is what people ask.
    """
    return not is_dropped(arm, terms) or arm.key == terms.default


def _check_same_data(runs: Sequence[SeedRun]) -> None:
    """Refuse runs between which the data have changed, as those of data=auto can."""
    known: dict[int, tuple[str, SeedRun]] = {}
    for run in runs:
        fingerprint = (run.result.get("data") or {}).get("fingerprint")
        if fingerprint is None:  # it has not begun
            continue
        before, other = known.setdefault(run.split, (fingerprint, run))
        if before != fingerprint:
            raise ConfirmError(
                f"{relative(other.directory)} was trained on other data than "
                f"{relative(run.directory)}: choose another folder with to="
            )


def _nothing(runs: Sequence[SeedRun]) -> str:
    if all(run.ended for run in runs):
        return "no configuration has two seeds that did not diverge: there is nothing to compare"
    done = sum(run.ended for run in runs)
    return (
        f"{done} of {len(runs)} runs are done, and no configuration has two seeds yet: there is "
        "nothing to conclude. Give more hours=; the same command resumes"
    )


def _place(arm: Arm, terms: Terms) -> tuple[int, float]:
    """Return by what configurations are ordered: those that were dropped last."""
    dropped = (terms.dropped or {}).get(arm.key)
    mean = sum(float(run.result[terms.ranked_by]) for run in arm.usable) / len(arm.usable)
    return (-dropped.seeds if dropped else -(2**32), mean if terms.ranked_by == LOSS else -mean)


def _missing(arms: Sequence[Arm], terms: Terms) -> dict[str, int]:
    """Return how many seeds there was no time for, by configuration."""
    lacking = {
        arm.title: sum(not run.ended for run in arm.own)
        for arm in arms
        if not is_dropped(arm, terms)
    }
    return {title: count for title, count in lacking.items() if count}


def _standing(arm: Arm, terms: Terms, titles: Mapping[str, str]) -> Standing:
    candidate, results = arm.own[0].candidate, [run.result for run in arm.usable]
    seeds = [run.seed for run in arm.usable]
    dropped = (terms.dropped or {}).get(arm.key)
    if dropped is not None:
        dropped = Dropped(**{**vars(dropped), "leader": titles[dropped.leader]})
    hits = arm.test if is_tested(arm, terms) else {}
    tested = [hits[seed] for seed in seeds if seed in hits]
    accuracies = [float(each.values.mean()) for each in tested]

    def figure(name: str) -> Interval:
        return over_splits([(run.split, float(run.result[name])) for run in arm.usable])

    val_acc = figure(ACCURACY)
    searched = _searched(candidate.result, results[0], terms.splits)
    return Standing(
        title=candidate.title,
        model=candidate.model,
        parameters=results[0]["parameters"],
        epochs=arm.own[0].epochs,
        searched=searched,
        seeds=seeds,
        accuracies=accuracies,
        diverged=[run.seed for run in arm.own if run.ended and run.seed not in seeds],
        val_acc=val_acc,
        val_loss=figure(LOSS),
        test_acc=None
        if independent(tested, terms) < 2
        else over_splits(zip((s.split for s in tested), accuracies, strict=True)),
        optimism=_optimism(searched, val_acc),
        dropped=dropped,
        directory=candidate.directory,
        key=candidate.key,
        draws=independent(arm.usable, terms),
    )


def _searched(before: dict[str, Any], fresh: dict[str, Any], splits: int | None) -> float | None:
    """Return the figure of the run that was chosen, where it can be held against the fresh ones.

    Those on other splits are held against it too: that is what they are for.
    """

    def work(result: dict[str, Any]) -> tuple[Any, ...]:
        data = result.get("data") or {}
        same = data.get("fingerprint") if splits is None else (data.get("name"), data.get("sizes"))
        return same, result.get("max_epochs")

    if work(before) != work(fresh) or before.get("status", COMPLETE) != COMPLETE:
        return None
    return before.get(ACCURACY)


def _optimism(searched: float | None, fresh: Interval) -> Interval | None:
    """Return by how much the search's figure is above the mean of the fresh seeds."""
    if searched is None:
        return None
    return Interval(searched - fresh.mean, searched - fresh.high, searched - fresh.low)
