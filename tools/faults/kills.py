"""kill -9 at random moments over a sweep's life, and after each the same command again."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.faults import checks
from tools.faults.scenario import Lab, Outcome
from tools.faults.sweeps import PATIENCE, Study, Sweep, wait_until

TRIALS = 12
START = 3.0  # seconds; one kill in three is while a sweep starts
AFTER_EPOCH = 1.5  # seconds, of a few epochs: the others are so long after one was recorded


@dataclass(frozen=True)
class Victims:
    """Whom a kill ends: `sweeps` of those that run, with or without their workers, or a worker."""

    name: str
    kill: Callable[[Lab, list[Sweep]], bool]


def _worker(lab: Lab, sweeps: list[Sweep]) -> bool:
    workers = [worker for sweep in sweeps for worker in sweep.workers()]
    if workers:
        lab.random.choice(workers).kill()
    return bool(workers)


def _sweep(lab: Lab, sweeps: list[Sweep]) -> bool:
    lab.random.choice(sweeps).kill()
    return True


def _all(lab: Lab, sweeps: list[Sweep]) -> bool:
    for sweep in sweeps:
        sweep.kill(workers=True)
    return True


VICTIMS = (Victims("a worker", _worker), Victims("a sweep", _sweep), Victims("all", _all))


def random_kills(lab: Lab, storage: Callable[[int], str], kills: int, sweeps: int = 1) -> Outcome:
    """Kill at random as often as is said, over as many studies as that takes.

    `storage` gives the address of the nth study; `sweeps` run each study at once.
    """
    outcome, number = Outcome(), 0
    while outcome.injected < kills:
        study = Study(lab.folder / str(number), storage(number), TRIALS, f"kills{number}")
        _over_one_life(lab, study, outcome, kills, sweeps)
        number += 1
    return outcome


def _over_one_life(lab: Lab, study: Study, outcome: Outcome, kills: int, count: int) -> None:
    """Kill a study's sweeps until it is finished, then check it."""
    running: list[Sweep] = []
    done = False
    while not done:
        ended = [sweep for sweep in running if not sweep.running]
        for sweep in ended:
            done = done or sweep.process.returncode == 0
            if sweep.process.returncode not in (0, -9):
                outcome.lost.append(f"{study.name} ended by itself: {sweep.last_line()}")
                done = True
        running = [sweep for sweep in running if sweep.running]
        if done:
            break
        running += [study.start("hydra.sweeper.n_jobs=2") for _ in range(count - len(running))]
        if outcome.injected >= kills:
            done = _finish(study, running, outcome)
            break
        _wait_for_a_moment(lab, study, running)
        alive = [sweep for sweep in running if sweep.running]
        if len(alive) == count:
            before = checks.finished(study)
            victims = lab.random.choice(VICTIMS)
            if victims.kill(lab, alive):
                losses = list(checks.still_there(before, checks.finished(study)))
                outcome.inject(losses)
                lab.say(f"{outcome.injected}/{kills}: {victims.name}, {len(before)} trials done")
    _finish(study, running, outcome)
    checks.age(study)
    _finish(study, [study.start()], outcome)
    outcome.lost += [f"{study.name}: {line}" for line in checks.whole(study)]


def _wait_for_a_moment(lab: Lab, study: Study, sweeps: list[Sweep]) -> None:
    """Wait until a kill is due, or a sweep has ended."""
    early, share = lab.random.random() < 1 / 3, lab.random.random()
    if early:
        _outlast(sweeps, lambda: False, share * START)
        return
    before = checks.epochs_done(study)
    _outlast(sweeps, lambda: checks.epochs_done(study) > before, PATIENCE)
    _outlast(sweeps, lambda: False, share * AFTER_EPOCH)


def _outlast(sweeps: list[Sweep], condition: Callable[[], bool], seconds: float) -> None:
    wait_until(lambda: condition() or not all(sweep.running for sweep in sweeps), seconds)


def _finish(study: Study, sweeps: list[Sweep], outcome: Outcome) -> bool:
    for sweep in sweeps:
        code = sweep.wait()
        if code != 0:
            how = "hangs" if code is None else f"ended with exit code {code}"
            outcome.lost.append(f"{study.name} {how}: {sweep.last_line()}")
    return True
