"""Which sampler to search with: whole sweeps on models of recorded runs, many times over.

    python -m benchmarks.samplers [SWEEPS [schedule|conditional [TRIALS ...]]]
    python -m benchmarks.samplers real SWEEPS FIRST CONTENDER...  # trains whole sweeps
    python -m benchmarks.samplers time                  # what a proposal takes, in large studies

A sweep is one as the engine makes it: the same proposer, with the gate, redrawing and the default
configuration first, and two workers that each ask when they are free. What a run shows is what the
task says (`benchmarks.sampler_tasks`). A sweep's winner is the trial that showed most, and is
judged by its quality without the luck of that run. All contenders have the same numbers of trials.
A sweep's number seeds its sampler and its luck, so contenders are compared sweep by sweep.
"""

import heapq
import json
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import optuna
import torch
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from scipy.stats import t, wilcoxon

from benchmarks import sampler_tasks
from benchmarks.common import spread, title
from benchmarks.sampler_tasks import Task
from mnist_sweep.confirm.intervals import holm
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.space.enqueue import enqueue
from mnist_sweep.sweep.space.untried import Points
from mnist_sweep.sweep.trials.proposals import Proposal, Proposer
from mnist_sweep.sweep.trials.records import TrialRecords
from mnist_sweep.sweep.trials.status import TrialStatus
from mnist_sweep.sweep.trials.tally import Tally

SWEEPS, WORKERS, RESAMPLES = 40, 2, 10
TRIALS = (20, 60)
DEFAULT = "tpe, 10 at random"

Contender = Callable[[int, int], BaseSampler]  # of a seed and a number of trials


def tpe(seed: int, trials: int, startup: Callable[[int], int], **settings: Any) -> BaseSampler:
    """Return TPE with the default's settings, but for those given."""
    shared = {"multivariate": True, "constant_liar": True, "n_startup_trials": startup(trials)}
    return TPESampler(seed=seed, **shared | settings)


def ten(trials: int) -> int:
    """Return the default's number of random trials."""
    return 10


def fifth(trials: int) -> int:
    """Return a fifth of a sweep, and four at least."""
    return max(4, trials // 5)


def four(trials: int) -> int:
    """Return the fewest random trials that are tried."""
    return 4


CONTENDERS: dict[str, Contender] = {
    DEFAULT: partial(tpe, startup=ten),
    "tpe, 10 at random, group": partial(tpe, startup=ten, group=True),
    "tpe, a fifth at random": partial(tpe, startup=fifth),
    "tpe, a fifth at random, group": partial(tpe, startup=fifth, group=True),
    "tpe, 4 at random": partial(tpe, startup=four),
    "tpe, 10 at random, each setting alone": partial(tpe, startup=ten, multivariate=False),
    "gp": lambda seed, trials: GPSampler(seed=seed),
    "cma-es": lambda seed, trials: CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "quasi-random": lambda seed, trials: QMCSampler(
        seed=seed, scramble=True, warn_independent_sampling=False, warn_asynchronous_seeding=False
    ),
    "random": lambda seed, trials: RandomSampler(seed=seed),
}
SLOW = {"gp"}  # a proposal takes seconds: fewer of the longer sweeps, and fewer that are timed


def opened(task: Task, sampler: BaseSampler) -> tuple[optuna.Study, Proposer, TrialRecords]:
    """Return a new study of a task, with what makes its proposals and what reads its trials."""
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(direction="maximize", sampler=sampler, storage=storage)
    records = TrialRecords(study, storage)
    points = Points(Tally(study), task.space.space, task.space.current)
    return study, Proposer(records, task.space, RESAMPLES, points), records


def proposed(study: optuna.Study, proposer: Proposer) -> Proposal:
    """Have a trial proposed as a sweep's queue does: it knows what has been tried by then."""
    assert proposer.points is not None
    proposer.points.tally.renew()
    return proposer.propose(study.ask())


def sweep(task: Task, sampler: BaseSampler, seed: int, trials: int) -> tuple[dict[str, Any], int]:
    """Run a sweep; return the parameters of its winner, and how many proposals were rejected."""
    study, proposer, records = opened(task, sampler)
    enqueue(study, task.space.space, task.space.current, [], default_first=True)
    luck = np.random.default_rng(seed)
    running: list[tuple[float, int, float]] = []  # when a run ends, its trial, what it shows
    now, launched, rejected = 0.0, 0, 0
    best: tuple[float, dict[str, Any]] = (-1.0, {})
    while launched < trials or running:
        while len(running) < WORKERS and launched < trials:
            proposal = proposed(study, proposer)
            if proposal.reason is not None:
                study_store.tell_end(study, proposal.trial, TrialStatus.REJECTED, None)
                rejected += 1
                continue
            params = proposal.trial.params
            shown = task.observe(params, luck)
            heapq.heappush(running, (now + task.seconds(params), proposal.number, shown))
            launched += 1
        now, number, shown = heapq.heappop(running)
        study.tell(number, shown)
        if shown > best[0]:
            best = shown, records.read(number).params
    return best[1], rejected


def quiet() -> None:
    """Compute with one thread, without Optuna's remarks on settings that may change."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


@lru_cache
def task_of(name: str) -> Task:
    """Return a task by its name; each process makes its own."""
    return getattr(sampler_tasks, {"schedule": "recorded"}.get(name, name))()  # type: ignore[no-any-return]


def one(name: str, contender: str, trials: int, seed: int) -> tuple[float, int, float]:
    """Run one sweep; return its winner's quality in points, the rejected, and the CPU seconds."""
    task, start = task_of(name), time.process_time()
    winner, rejected = sweep(task, CONTENDERS[contender](seed, trials), seed, trials)
    return 100 * task.quality(winner), rejected, time.process_time() - start


def compared(found: dict[str, list[float]]) -> dict[str, tuple[float, float, float]]:
    """Return each contender's mean advantage over the default, half of its 95% interval, and its p.

    Pair by pair; p by Wilcoxon's signed ranks, corrected for the number of contenders.
    """
    rows, values = {}, []
    others = [name for name in found if name != DEFAULT]
    for name in others:
        pairs = list(zip(found[name], found[DEFAULT], strict=False))
        more = [a - b for a, b in pairs]
        error = statistics.stdev(more) / len(more) ** 0.5
        rows[name] = (statistics.mean(more), error * float(t.ppf(0.975, len(more) - 1)))
        values.append(float(wilcoxon(more).pvalue) if any(more) else 1.0)
    return {name: (*rows[name], p) for name, p in zip(others, holm(values), strict=True)}


def main(name: str, trials: int, sweeps: int) -> None:
    """Run all contenders on a task and print a table."""
    task, found, rejected, slow = task_of(name), {}, {}, {}
    title(f"{name}, {trials} trials, {WORKERS} workers: {task.about}")
    for contender in CONTENDERS:
        count = max(10, sweeps // 4) if contender in SLOW and trials > TRIALS[0] else sweeps
        ran = [one(name, contender, trials, seed) for seed in range(count)]
        found[contender] = [quality for quality, _, _ in ran]
        rejected[contender] = statistics.mean(number for _, number, _ in ran)
        slow[contender] = statistics.median(seconds for _, _, seconds in ran)
        line = {"sampler": contender, "winners": found[contender], "rejected": rejected[contender]}
        print(json.dumps(line), f"{slow[contender]:.1f} s a sweep", file=sys.stderr, flush=True)
    print_table(found, rejected)


def print_table(found: dict[str, list[float]], rejected: dict[str, float]) -> None:
    """Print what the contenders' winners are worth, in percent."""
    versus = compared(found)
    print("| sampler | sweeps | winner: median (quartiles) | against the default | p | rejected |")
    print("|---|---|---|---|---|---|")
    for contender, values in found.items():
        low, middle, high = statistics.quantiles(values, n=4)
        against, p = "", ""
        if contender in versus:
            more, half, chance = versus[contender]
            against, p = f"{more:+.2f} ± {half:.2f}", f"{chance:.2g}"
        print(
            f"| {contender} | {len(values)} | {middle:.2f} ({low:.2f} to {high:.2f}) | {against} | "
            f"{p} | {rejected[contender]:.1f} |"
        )


def real(sweeps: int, contenders: Sequence[str], first: int = 0) -> None:
    """Train whole sweeps of short real runs, and each winner again with fresh seeds."""
    torch.set_num_threads(1)
    task = sampler_tasks.trained()
    for seed in range(first, first + sweeps):
        for contender in contenders:
            winner, _ = sweep(task, CONTENDERS[contender](seed, TRIALS[0]), seed, TRIALS[0])
            line = {"sweep": seed, "sampler": contender, "winner": 100 * task.quality(winner)}
            print(json.dumps(line), flush=True)


def time_proposals(sizes: Sequence[int] = (200, 1_000), proposals: int = 7) -> None:
    """Print what a proposal takes where a study has so many complete trials.

    In time of the processor, which other work on the machine changes little.
    """
    task = task_of("schedule")
    title("CPU milliseconds a proposal, with the gate; studies in memory; median (range)")
    for size in sizes:
        for name, contender in CONTENDERS.items():
            study, proposer, _ = opened(task, contender(0, size))
            filler = optuna.samplers.RandomSampler(seed=0)
            gated, study.sampler = study.sampler, filler
            for number in range(size):
                trial = study.ask()
                task.space.choose(trial)
                trial.set_constraint("parameters", -float(number))  # as the gate does
                study.tell(trial, 0.9 + 0.1 * math.sin(number))
            study.sampler, taken = gated, []
            proposed(study, proposer)  # the first one imports and fills caches
            for _ in range(2 if name in SLOW else proposals):
                start = time.process_time()
                proposed(study, proposer)
                taken.append(1000 * (time.process_time() - start))
            print(f"  {size:>5} trials, {name:<40} {spread(taken, '.0f')}", flush=True)


if __name__ == "__main__":
    quiet()
    arguments = sys.argv[1:]
    if arguments[:1] == ["time"]:
        time_proposals()
    elif arguments[:1] == ["real"]:
        real(int(arguments[1]), arguments[3:] or [DEFAULT], int(arguments[2]))
    else:
        tasks = arguments[1:2] or ["schedule", "conditional"]
        for each in tasks:
            for number in [int(a) for a in arguments[2:]] or TRIALS:
                main(each, number, int(arguments[0]) if arguments else SWEEPS)
