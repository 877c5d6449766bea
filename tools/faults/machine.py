"""What a machine can do to a sweep, its environment: disks, limits, clocks, stopped processes."""

import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
from optuna.trial import FrozenTrial

from tools.faults import checks, namespaces
from tools.faults.checks import SQLITE
from tools.faults.scenario import Lab, Outcome
from tools.faults.sweeps import Study, Sweep, wait_until

HOUR = 3600
DISK = 2000  # kilobytes; a study of eight trials takes about 400
REQUEUED = "its process is gone"  # what a sweep says of a trial that it takes over


def begun(study: Study, epochs: int = 3) -> Callable[[], bool]:
    """Return whether a study's runs have recorded so many epochs, to be asked again and again."""
    return lambda: checks.epochs_done(study) >= epochs


def under(
    study: Study,
    fault: AbstractContextManager[object],
    end: Callable[[Sweep], object] = Sweep.wait,
) -> Outcome:
    """Inject a fault into a running sweep until `end`; then the same command, and the checks."""
    outcome = Outcome()
    sweep = study.start()
    if not wait_until(lambda: begun(study)() or not sweep.running):
        outcome.lost.append("the sweep did not begin")
    with fault:
        before = checks.finished(study)
        end(sweep)
    return conclude(study, sweep, before, outcome)


def conclude(
    study: Study, sweep: Sweep, before: dict[int, FrozenTrial], outcome: Outcome
) -> Outcome:
    """Wait for a sweep that had a fault, give the command again, and check the study."""
    code = sweep.wait()
    outcome.said = _said(sweep, code)
    losses = [] if code in (0, 1) else [f"the sweep ended with {code}: {sweep.last_line()}"]
    if code == 1 and len(sweep.errors()) != 1:
        losses.append(f"{len(sweep.errors())} error lines, not one: {sweep.last_line()}")
    losses += checks.still_there(before, checks.finished(study))
    again = study.finish()
    if again.process.returncode != 0:
        losses.append(
            f"the same command ended with {again.process.returncode}: {again.last_line()}"
        )
    checks.age(study)
    study.finish()
    losses += checks.whole(study)
    # One fault is lost once, whatever it did.
    outcome.inject(["; ".join(losses)] if losses else [])
    return outcome


def _said(sweep: Sweep, code: int | None) -> str:
    if code == 0:
        return "nothing, and went on to its end"
    return (sweep.errors() or [sweep.last_line()])[-1]


def full_disk(lab: Lab, address: str) -> Outcome:
    """Fill the disk of a study and its storage while trials run."""
    folder = lab.folder / "disk"
    with namespaces.small_disk(folder, DISK):
        return under(Study(folder, address), _filled(folder))


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    filler = namespaces.fill(folder)
    try:
        yield
    finally:
        filler.unlink()


def read_only_runs(lab: Lab) -> Outcome:
    """Make the study's folder of runs read-only while trials run."""
    study = Study(lab.folder / "runs", f"{SQLITE}optuna.db")
    namespaces.need_root()
    return under(study, namespaces.read_only(study.runs))


def no_descriptors(lab: Lab) -> Outcome:
    """Leave the sweep and its workers no file descriptor more than they have."""
    study = Study(lab.folder / "runs", f"{SQLITE}multirun/optuna.db")
    outcome = Outcome()
    sweep = study.start()
    wait_until(begun(study))
    before = checks.finished(study)
    for process in [psutil.Process(sweep.process.pid), *sweep.workers()]:
        with suppress(psutil.Error, ProcessLookupError):
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.num_fds(), hard))
    return conclude(study, sweep, before, outcome)


def deleted_run(lab: Lab) -> Outcome:
    """Delete the run directory of a trial that runs."""
    study = Study(lab.folder / "runs", f"{SQLITE}multirun/optuna.db", words=("seconds=0.5",))
    outcome = Outcome()
    sweep = study.start()
    wait_until(begun(study))
    before = checks.finished(study)
    running = [t.number for t in checks.trials(study) if not t.state.is_finished()]
    shutil.rmtree(study.runs / str(lab.random.choice(running)), ignore_errors=True)
    return conclude(study, sweep, before, outcome)


def unwritable_tmp(lab: Lab) -> Outcome:
    """Make the folders of temporary files read-only for a whole sweep."""
    namespaces.need_root()
    folder = lab.folder / "runs"
    folder.mkdir()
    study = Study(
        folder, f"{SQLITE}multirun/optuna.db", before=namespaces.read_only_tmp(lab.folder)
    )
    return conclude(study, study.start(), {}, Outcome())


def clock_set(lab: Lab) -> Outcome:
    """Set the clock by an hour either way while a sweep runs, and start another beside it."""
    namespaces.need_root()
    outcome = Outcome()
    for name, seconds in (("ahead", HOUR), ("back", -HOUR)):
        stat = lab.folder / f"stat-{name}"
        namespaces.set_clock(stat, 0)
        words = ("seconds=0.3", "hydra.sweeper.n_jobs=1")
        before = namespaces.clock(stat)
        address = f"{SQLITE}multirun/optuna.db"
        study = Study(lab.folder / name, address, words=words, before=before)
        first = study.start()
        wait_until(begun(study))
        namespaces.set_clock(stat, seconds)
        second = study.start()
        losses = [
            f"clock {name}: {sweep.last_line()}" for sweep in (first, second) if sweep.wait() != 0
        ]
        losses += [line for line in second.text().splitlines() if REQUEUED in line]
        losses += checks.whole(study)
        outcome.inject(["; ".join(losses)] if losses else [])
    return outcome


def stopped(lab: Lab) -> Outcome:
    """Stop a sweep and its workers past their grace period; continue them beside their successor.

    Every second time they continue while another machine runs their trial, else after its end.
    """
    namespaces.need_root()
    outcome = Outcome()
    for number in range(4):
        words = ("seconds=0.3", "epochs=8", "hydra.sweeper.n_jobs=1")
        study = Study(
            lab.folder / str(number), f"{SQLITE}multirun/optuna.db", trials=1, words=words
        )
        first = study.start()
        wait_until(begun(study))
        wait_until(lambda: False, lab.random.uniform(0, 0.4))
        asleep = [first.process.pid, *(worker.pid for worker in first.workers())]
        _signal(asleep, signal.SIGSTOP)
        done = checks.epochs_done(study)
        other = replace(study, before=namespaces.host("another")).start()
        if number % 2:
            other.wait()
        else:
            wait_until(lambda: checks.epochs_done(study) > done or not other.running)  # noqa: B023
        _signal(asleep, signal.SIGCONT)
        lab.say(f"{number + 1}/4: continued {'after' if number % 2 else 'beside'} the successor")
        losses = [f"ended: {sweep.last_line()}" for sweep in (first, other) if sweep.wait() != 0]
        if REQUEUED not in other.text():
            losses.append("the trial was not taken over")
        losses += checks.whole(study, epochs=8)
        outcome.inject(["; ".join(losses)] if losses else [])
    return outcome


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
