"""The start of a sweep and its end: what is opened, what is undone, and what errors say."""

import sys
from contextlib import suppress

import optuna

from mnist_sweep.cli.interruption import exit_interrupted, interruptible
from mnist_sweep.errors import explain, is_the_machines
from mnist_sweep.passwords import said_of, without_password
from mnist_sweep.study_folder import WORKERS
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.backend_choice import choose_backend
from mnist_sweep.sweep.callbacks import DataCheck
from mnist_sweep.sweep.console import Console
from mnist_sweep.sweep.engine import Engine
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.kept_files import KeptFiles
from mnist_sweep.sweep.opening import check_given, open_sweep, read_search
from mnist_sweep.sweep.storage import OUTAGE, Storage, cause_of, open_storage
from mnist_sweep.sweep.summary import SummaryFile
from mnist_sweep.sweep.trials.status import was_launched
from mnist_sweep.text import one_line, relative


def run_sweep(given: Given, arguments: list[str]) -> None:
    """Run a study to `n_trials` launched trials in all, and write its summary.

    Raises SweepError where the study cannot be resumed, where nothing passes the gate, and where
    too many trials fail. Exits with code 130 on Ctrl-C, and with 143 on SIGTERM.
    """
    if given.task.resumes:
        raise SweepError("resume is for a single run: a sweep is resumed by its own command")
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # also of studies that only a plan makes
    made = Made(given)
    try:
        if given.settings.dry_run:
            from mnist_sweep.sweep.plan.show import show_plan  # scipy comes with it

            show_plan(given, arguments)
            return
        try:
            with interruptible():
                _open_and_run(given, arguments, made)
        except BaseException:
            made.undo()
            raise
    except OSError as error:
        raise SweepError(explain(error, relative(given.directory))) from error
    except KeyboardInterrupt as stop:
        if given.settings.dry_run:
            raise
        print("interrupted: the same command resumes the study", file=sys.stderr)
        exit_interrupted(stop)
    except OUTAGE as error:
        address = given.settings.storage
        said = said_of(address, one_line(cause_of(error)))[:200]
        raise SweepError(
            f"hydra.sweeper.storage={without_password(address)} does not answer: {said}; when it "
            "does, the same command resumes the study"
        ) from error


def _open_and_run(given: Given, arguments: list[str], made: "Made") -> None:
    check_given(given)
    search = read_search(given, arguments)
    backend = choose_backend(given)
    storage = open_storage(given.settings.storage)
    opened = open_sweep(given, search, backend, storage, made.note)
    summary_file = SummaryFile(opened.tally, given.settings.storage, given.directory)
    callbacks = [DataCheck(opened.study), summary_file]
    if given.task.names_trials:
        callbacks.append(KeptFiles(opened.tally, given.directory, given.settings.keep_weights))
    callbacks.append(Console(opened, given))
    engine = Engine(given, opened, backend, callbacks)
    try:
        engine.run(made.holds_nothing)
    except KeyError as error:
        name = opened.study.study_name
        if study_store.exists(name, storage):
            raise
        raise SweepError(
            f"study {name!r} was deleted from {without_password(given.settings.storage)} while "
            "this sweep ran; the same command begins it anew"
        ) from error
    except OSError as error:
        if not is_the_machines(error):
            raise
        refused = explain(error, relative(given.directory))
        raise SweepError(
            f"{refused}; when that is mended, the same command resumes the study"
        ) from error


class Made:
    """What this call has made, to be removed where the sweep could not start."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.study: optuna.Study | None = None  # one that did not exist before
        self.storage: Storage | None = None

    def note(self, study: optuna.Study, storage: Storage) -> None:
        """Note a new study."""
        self.study, self.storage = study, storage

    def holds_nothing(self) -> bool:
        """Whether this call made the study, has it alone, and no trial has begun or been judged."""
        if self.study is None or study_store.sweeps(self.study) > 1:
            return False
        if not study_store.is_empty(self.study):
            return False
        trials = self.study.get_trials(deepcopy=False)
        if self.given.task.names_trials:
            return not any((self.given.directory / str(trial.number)).exists() for trial in trials)
        return not any(was_launched(trial) for trial in trials)

    def undo(self) -> None:
        """Delete a study that holds nothing, and its directory."""
        if self.study is None or self.storage is None:
            return
        name = self.study.study_name
        with suppress(*OUTAGE, OSError, KeyError), self.storage.lock(name):  # it may be gone
            if not self.holds_nothing():
                return
            optuna.delete_study(study_name=name, storage=self.storage.optuna)
        for folder in (self.given.directory / WORKERS, self.given.directory):
            with suppress(OSError):  # there is something in it
                folder.rmdir()
