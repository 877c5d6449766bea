"""What pruning will spare a study, before any of its trials has run.

Pruners that compare trials with each other decide by ranks, which do not depend on how high the
curves are: the pruner itself is asked about curves that are made up. Their configurations differ,
each epoch adds noise, and two of them may cross. Against the replays of real curves in
docs/pruning.md, the epochs saved come out within a few points (tests/sweep/plan/test_pruned.py).
"""

import heapq
import random
from collections.abc import Sequence

import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

# Of these classes only: of a subclass nobody knows what it looks at.
BY_RANK = (HyperbandPruner, MedianPruner, PercentilePruner, SuccessiveHalvingPruner)
REPORTS = 4_000  # of all studies that are made up; a pruner takes some 0.3 ms to decide
STUDIES = 20
TRIALS = 60  # of one made-up study, beyond which the share hardly changes

# A configuration's worth, and an epoch's noise, in standard deviations.
WORTH, NOISE = 1.0, 0.5


def is_predictable(pruner: BasePruner) -> bool:
    """Whether a pruner decides by ranks."""
    return type(pruner) in BY_RANK


def shares(pruner: BasePruner, epochs: int, trials: int, workers: int) -> list[list[float]]:
    """Return, for each of some made-up studies, what share of its epochs each trial trains.

    All of them in full where nothing is pruned, or the pruner does not decide by ranks.
    """
    if isinstance(pruner, NopPruner) or not is_predictable(pruner):
        return [[1.0] * trials]
    simulated = min(trials, TRIALS)
    studies = max(1, min(STUDIES, REPORTS // max(1, simulated * epochs)))
    found = []
    for number in range(studies):
        done = _study(pruner, epochs, simulated, workers, number)
        later = done[simulated // 2 :]  # the first ones have few to be compared with
        found.append(done + [later[n % len(later)] for n in range(trials - simulated)])
    return found


def _study(pruner: BasePruner, epochs: int, trials: int, workers: int, number: int) -> list[float]:
    """Return the shares of one study's trials, in their order, on asynchronous workers."""
    generator = random.Random(number)
    study = optuna.create_study(
        study_name=f"plan {number}",  # which Hyperband chooses its brackets by
        direction="maximize",
        sampler=RandomSampler(seed=number),
        pruner=pruner,
    )
    worth = [generator.gauss(0.0, WORTH) for _ in range(trials)]
    done = [0.0] * trials
    # When each running trial reports next, whatever an epoch takes; which it is, and its epoch.
    running: list[tuple[float, int, int, optuna.Trial]] = []
    waiting = list(range(trials))[::-1]

    def begin(now: float) -> None:
        if waiting:
            heapq.heappush(running, (now + 1.0, waiting.pop(), 1, study.ask()))

    for slot in range(min(workers, trials)):
        begin(slot / workers)
    while running:
        now, position, epoch, trial = heapq.heappop(running)
        done[position] = epoch / epochs
        trial.report(epoch + worth[position] + generator.gauss(0.0, NOISE), epoch)
        if epoch < epochs and not trial.should_prune():
            heapq.heappush(running, (now + 1.0, position, epoch + 1, trial))
            continue
        state = TrialState.PRUNED if epoch < epochs else TrialState.COMPLETE
        study.tell(trial, worth[position] if epoch == epochs else None, state=state)
        begin(now)
    return done


def mean_share(studies: Sequence[Sequence[float]]) -> float:
    """Return the share of all epochs that are trained."""
    done = [share for study in studies for share in study]
    return sum(done) / len(done) if done else 1.0
