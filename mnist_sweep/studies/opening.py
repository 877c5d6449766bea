"""Opening a study to change it: its storage, and whether anybody is at work on it."""

import time
from collections.abc import Callable

import optuna
from optuna.storages import BaseStorage

from mnist_sweep.passwords import without_password
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.read_only import StorageError, answering, file_of, is_there, open_to_read
from mnist_sweep.sweep.settings import GRACE_PERIOD
from mnist_sweep.sweep.storage import Storage, open_storage
from mnist_sweep.sweep.trials.leases import LivenessMonitor
from mnist_sweep.text import printable

LOOK = 1.0  # seconds between two looks at a trial of another machine


def open_to_change(address: str) -> Storage:
    """Open a storage that there is, to write to it.

    Raises StorageError, before anything is changed where it is another program's or version's.
    """
    if not is_there(address):
        path = file_of(address)
        what = "it has no studies" if path is None else f"there is no file {path}"
        raise StorageError(
            f"storage={without_password(address)}: {what}; name the studies' storage"
        )
    with answering(address):
        optuna.get_all_study_names(open_to_read(address))
    try:
        return open_storage(address)
    except SweepError as error:
        said = str(error).removeprefix("error: ").removeprefix("hydra.sweeper.")
        raise StorageError(said) from error


def load(setting: str, name: str, address: str, storage: BaseStorage) -> optuna.Study:
    """Return the study that a setting names.

    Raises StudiesError where there is none, and FormatError where it is a later version's.
    """
    names = optuna.get_all_study_names(storage)
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise StudiesError(
            f"{setting}={name} is not in {without_password(address)}; it has {known}"
        )
    study = optuna.load_study(study_name=name, storage=storage)
    study_store.check_format(study)
    return study


class Owners:
    """The owners of a study's running trials, which have to be gone before it is changed."""

    def __init__(
        self,
        study: optuna.Study,
        grace_period: float = GRACE_PERIOD,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.study, self.sleep = study, sleep
        self.grace_period = grace_period
        self.monitor = LivenessMonitor(grace_period)

    def check(self) -> None:
        """Wait until it is known that none lives. Raises StudiesError where one does.

        Another machine's is dead when its trial has not changed for the grace period.
        """
        said = False
        while (unknown := self.unknown()) is not None:
            if not said:
                print(
                    f"trial {unknown} of {printable(self.study.study_name)} is another machine's: "
                    f"watching for {self.grace_period:.0f} s whether that runs it",
                    flush=True,
                )
                said = True
            self.sleep(LOOK)

    def unknown(self) -> int | None:
        """Return a running trial of which it is not known yet. Raises StudiesError for a living."""
        unknown = None
        for trial in study_store.in_progress(self.study):
            alive = self.monitor.alive(trial)
            if alive:
                raise StudiesError(
                    f"study {self.study.study_name} is being swept, trial {trial.number} is "
                    "running: end its sweep first (Ctrl-C), then give the same command"
                )
            if alive is None:
                unknown = trial.number
        return unknown
