"""A study's trials counted and ranked, at a cost of what has changed since the last look."""

from bisect import insort
from collections import Counter
from datetime import datetime

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from mnist_sweep.sweep.trials.status import (
    FINISHED,
    TrialStatus,
    attributes_of,
    is_feasible,
    status_of,
)

Losses = tuple[float, ...]  # a trial's values, of which less is better


class Tally:
    """What the trials of a study are, as of the last `renew`.

    `trials` has all by number, `open` those that have not ended, and `ended` the others in the
    order in which they were seen to end: clocks of several machines do not agree, so that only what
    is new in one look is ordered by them. Optuna changes no trial that has ended: each is counted
    once. A renewal lists all trials, in one call of the storage, and looks at those only that were
    open or new.
    """

    def __init__(self, study: optuna.Study) -> None:
        self.study, self.directions = study, study.directions
        self.trials: list[FrozenTrial] = []
        self.open: list[FrozenTrial] = []
        self.ended: list[FrozenTrial] = []
        self.closest: FrozenTrial | None = None  # of the rejected ones
        self.epochs_saved = 0  # those that pruned trials were spared
        self._by_status: Counter[TrialStatus] = Counter()  # of `ended`
        self._places: dict[int, int] = {}  # of launched trials that have ended, in their order
        self._ranking: list[tuple[Losses, int]] = []  # feasible complete trials, the best first
        self._front: list[tuple[Losses, int]] = []  # of those, what none is better than
        self.renew()

    def renew(self) -> None:
        """Read the study, and count what has changed."""
        before, was_open = len(self.trials), self.open
        self.trials = self.study.get_trials(deepcopy=False)
        looked_at = [*(self.trials[old.number] for old in was_open), *self.trials[before:]]
        self.open = [trial for trial in looked_at if not trial.state.is_finished()]
        ended = [trial for trial in looked_at if trial.state.is_finished()]
        for trial in sorted(ended, key=lambda trial: trial.datetime_complete or datetime.min):
            self._count(trial)

    @property
    def counts(self) -> Counter[TrialStatus]:
        """How many trials have which status."""
        return self._by_status + Counter(map(status_of, self.open))

    @property
    def finished(self) -> int:
        """How many launched trials have ended: those that count towards n_trials."""
        return sum(self._by_status[status] for status in FINISHED)

    @property
    def launched(self) -> int:
        """How many launched trials have ended or run, in whichever sweep."""
        return self.finished + len(self.running)

    @property
    def running(self) -> list[FrozenTrial]:
        """The trials that run, in whichever sweep."""
        return [trial for trial in self.open if trial.state == TrialState.RUNNING]

    @property
    def waiting(self) -> list[FrozenTrial]:
        """The trials that the next ask gives: queued ones, and those that were left."""
        return [trial for trial in self.open if trial.state == TrialState.WAITING]

    @property
    def best(self) -> list[FrozenTrial]:
        """The best feasible complete trial, or the Pareto front of several objectives by number.

        Of trials with equal values the first is the best.
        """
        if len(self.directions) == 1:
            return [self.trials[number] for _, number in self._ranking[:1]]
        return [self.trials[number] for number in sorted(number for _, number in self._front)]

    def best_numbers(self, count: int) -> set[int]:
        """Return the numbers of the best complete trials, so many where there are as many.

        Of equal ones the first. With several objectives whole fronts, the best first, until they
        have as many. The best is always among them.
        """
        if len(self.directions) == 1:
            return {number for _, number in self._ranking[: max(count, 1)]}
        best, rest = {number for _, number in self._front}, self._ranking
        while len(best) < count:
            rest = [each for each in rest if each[1] not in best]
            if not rest:
                break
            best |= {number for own, number in rest if not any(_beats(o, own) for o, _ in rest)}
        return best

    @property
    def best_value(self) -> float | None:
        """The value of the best trial of a single objective; None while there is none."""
        best = self.best
        return best[0].value if best and len(self.directions) == 1 else None

    @property
    def since_best(self) -> int:
        """How many launched trials ended after the best one did; 0 while there is none."""
        places = [self._places[best.number] for best in self.best if best.number in self._places]
        return len(self._places) - 1 - max(places) if places else 0

    def _count(self, trial: FrozenTrial) -> None:
        """Count a trial that has ended."""
        self.ended.append(trial)
        status = status_of(trial)
        self._by_status[status] += 1
        if status in FINISHED:
            self._places[trial.number] = len(self._places)
        if trial.state == TrialState.COMPLETE and is_feasible(trial):
            self._rank(trial)
        if trial.state == TrialState.PRUNED:
            self.epochs_saved += _epochs_saved(trial)
            if status == TrialStatus.REJECTED and _comes_closer(trial, self.closest):
                self.closest = trial

    def _rank(self, trial: FrozenTrial) -> None:
        own = tuple(
            -value if direction == StudyDirection.MAXIMIZE else value
            for value, direction in zip(trial.values, self.directions, strict=True)
        )
        insort(self._ranking, (own, trial.number))
        if len(own) > 1 and not any(_beats(other, own) for other, _ in self._front):
            self._front = [each for each in self._front if not _beats(own, each[0])]
            self._front.append((own, trial.number))


def _epochs_saved(trial: FrozenTrial) -> int:
    """Return the epochs that a pruned trial was spared."""
    found = attributes_of(trial)
    known = {"max_epochs", "epochs"} <= found.keys()
    return found["max_epochs"] - found["epochs"] if known else 0


def _beats(one: Losses, other: Losses) -> bool:
    """Whether one trial is at least as good in everything, and better in something."""
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def _comes_closer(trial: FrozenTrial, other: FrozenTrial | None) -> bool:
    """Whether a rejected trial comes closer to feasible than another one, of equals the first.

    One that meets every constraint, as one that repeats a trial does, only where there is no other.
    """
    return other is None or _distance(trial) < _distance(other)


def _distance(trial: FrozenTrial) -> tuple[bool, float, int]:
    worst = max(trial.constraints.values(), default=float("inf"))
    return worst <= 0, worst, trial.number
