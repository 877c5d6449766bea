"""kill -9 at random moments over a sweep's life, and after each the same command again."""

import signal
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
    """Whom a kill ends; `kill` says whether there was anybody."""

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
    """Kill a study's sweeps until it is finished, or often enough; then check it."""
    sweeps: list[Sweep] = []
    while outcome.injected < kills and not _is_over(study, sweeps, outcome):
        sweeps = [sweep for sweep in sweeps if sweep.running]
        sweeps += [study.start() for _ in range(count - len(sweeps))]
        _wait_for_a_moment(lab, study, sweeps)
        if all(sweep.running for sweep in sweeps):
            _kill(lab, study, sweeps, outcome, kills)
    for sweep in [sweep for sweep in sweeps if sweep.running]:
        _end(study, sweep, outcome)
    checks.age(study)
    _end(study, study.start(), outcome)
    outcome.lost += [f"{study.name}: {line}" for line in checks.whole(study)]


def _is_over(study: Study, sweeps: list[Sweep], outcome: Outcome) -> bool:
    """Whether a sweep has come to its end; one that ended by an error of its own is a loss."""
    codes = {sweep.process.poll(): sweep for sweep in sweeps}
    for code in codes.keys() - {None, 0, -signal.SIGKILL}:
        outcome.lost.append(f"{study.name} ended by itself: {codes[code].last_line()}")
    return bool(codes.keys() - {None, -signal.SIGKILL})


def _kill(lab: Lab, study: Study, sweeps: list[Sweep], outcome: Outcome, kills: int) -> None:
    """Kill something, and look whether what had finished is still what it was."""
    before = checks.finished(study)
    victims = lab.random.choice(VICTIMS)
    if victims.kill(lab, sweeps):
        outcome.inject(list(checks.still_there(before, checks.finished(study))))
        lab.say(f"{outcome.injected}/{kills}: {victims.name}, {len(before)} trials done")


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


def _end(study: Study, sweep: Sweep, outcome: Outcome) -> None:
    """Wait for a sweep that nothing disturbs any more."""
    code = sweep.wait()
    if code != 0:
        how = "hangs" if code is None else f"ended with exit code {code}"
        outcome.lost.append(f"{study.name} {how}: {sweep.last_line()}")
