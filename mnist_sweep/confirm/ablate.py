"""Training the way from the default configuration to the best, change by change."""

from collections.abc import Sequence
from pathlib import Path

from mnist_sweep.confirm.ablation import ORDER_SEEDS, ablation, alone, changes_between, ordered, way
from mnist_sweep.confirm.candidates import Candidate
from mnist_sweep.confirm.conclude import Terms, arms_of
from mnist_sweep.confirm.conclusion import Ablation
from mnist_sweep.confirm.course import Deadline
from mnist_sweep.confirm.progress import Progress
from mnist_sweep.confirm.runs import SeedRun, planned
from mnist_sweep.confirm.work import Workers
from mnist_sweep.text import counted


def ablate(
    runs: Sequence[SeedRun],
    best: str,
    terms: Terms,
    workers: Workers,
    deadline: Deadline,
    folder: Path,
) -> Ablation | None:
    """Train the way to the configuration of that title with the same seeds; return what it shows.

    `runs`: of the confirmation, which has both ends. None, and a line that says so, where there is
    nothing to change, or no time for it. Raises what `Workers.train` raises.
    """
    default = next(run.candidate for run in runs if run.candidate.key == terms.default)
    winner = next(run.candidate for run in runs if run.candidate.title == best)
    changes = changes_between(default, winner)
    if not changes:
        print(f"nothing to ablate: {winner.title} is the default configuration")
        return None
    print(
        f"from {default.title} to {winner.title}: {counted(len(changes), 'change')}, "
        f"{', '.join(map(str, changes))}"
    )
    seeds = list(dict.fromkeys(run.seed for run in runs))
    first = seeds[:ORDER_SEEDS]
    single = alone(default, winner, changes)
    trials = _planned([each for each in single if each], runs, first, folder, terms)
    if not _train(trials, workers, deadline):
        return None
    order = ordered(changes, single, trials, terms.ranked_by)
    steps = way(default, winner, order)
    path = [default, *(candidate for _, candidate in steps)]
    own = _planned(path, runs, seeds, folder, terms)
    if not _train(own, workers, deadline):
        return None
    arms = {arm.key: arm for arm in arms_of(own)}
    workers.test([run for arm in arms.values() for run in arm.usable if not run.errors.exists()])
    arms = {arm.key: arm for arm in arms_of(own)}
    return ablation(
        arms[default.key],
        [(made, arms[candidate.key]) for made, candidate in steps],
        len(first),
        terms,
    )


def _planned(
    candidates: Sequence[Candidate],
    runs: Sequence[SeedRun],
    seeds: Sequence[int],
    folder: Path,
    terms: Terms,
) -> list[SeedRun]:
    """Return the runs of configurations; those of the confirmation are these themselves."""
    known = {run.candidate.key for run in runs}
    new = planned([c for c in candidates if c.key not in known], seeds, folder, terms.splits)
    keys = {candidate.key for candidate in candidates}
    old = [run for run in runs if run.candidate.key in keys and run.seed in seeds]
    return sorted([*old, *new], key=lambda run: seeds.index(run.seed))


def _train(runs: Sequence[SeedRun], workers: Workers, deadline: Deadline) -> bool:
    """Train what is not done; return whether all is."""
    waiting = [run for run in runs if not run.done]
    if waiting and not deadline.over:
        workers.prepare(waiting)
        progress = Progress([runs], len(workers.environments), str(workers), may_drop=False)
        try:
            workers.train(
                waiting, progress.watch, lambda run: deadline.allows(progress.pace.of(run))
            )
        finally:
            progress.close()
    if all(run.done for run in runs):
        return True
    print("the hours are over before the way from the default to the best is trained")
    return False
