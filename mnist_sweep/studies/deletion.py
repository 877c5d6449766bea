"""Deleting a study, with the folder of its runs."""

import shutil
from contextlib import suppress
from pathlib import Path

import optuna

from mnist_sweep.errors import explain
from mnist_sweep.files import size_of
from mnist_sweep.passwords import without_password
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.folder import check_unused, identify, own_folder, twins
from mnist_sweep.studies.opening import Owners, load
from mnist_sweep.study_folder import SUMMARY
from mnist_sweep.sweep import summary
from mnist_sweep.sweep.storage import Storage
from mnist_sweep.text import counted, megabytes, printable, relative


def delete(name: str, storage: Storage, confirmed: bool) -> None:
    """Say what there is of a study, and remove it where that is `confirmed`.

    The study goes last, so that the same command finishes what was cut short. Raises StudiesError
    where it is not confirmed, or anybody is at work on the study.
    """
    study = load("delete", name, str(storage.address), storage.optuna)
    owners = Owners(study)
    owners.check()
    folder = _removable(study, storage)
    print(f"study {printable(name)} in {without_password(storage.address)}: {_trials(study)}")
    if folder is not None:
        print(f"its folder {printable(relative(folder))}: {megabytes(size_of(folder))}")
    if not confirmed:
        raise StudiesError(
            "nothing is removed yet: give the same command with yes=true, which cannot be undone"
        )
    with storage.lock(name):  # no sweep gives out a trial meanwhile
        owners.check()
        if folder is not None:
            check_unused(folder)
            identify(folder, study, storage)
            _remove(folder, name)
        optuna.delete_study(study_name=name, storage=storage.optuna)
    what = f"study {name}" if folder is None else f"study {name} and {relative(folder)}"
    print(f"removed {printable(what)}")


def _trials(study: optuna.Study) -> str:
    return counted(len(study.get_trials(deepcopy=False)), "trial")


def _removable(study: optuna.Study, storage: Storage) -> Path | None:
    """Return the folder that goes with a study; say why where there is none."""
    others = twins(study, storage)
    if others:
        print(f"its folder is study {printable(others[0])}'s as well: it stays")
        return None
    folder = own_folder(study, storage)
    if folder is None:
        print("no folder of its runs is here")
    else:
        check_unused(folder)
    return folder


def _remove(folder: Path, name: str) -> None:
    """Remove a folder without following a link; its summary, by which it is recognized, last."""
    try:
        for entry in folder.iterdir():
            if entry.name == SUMMARY:
                continue
            if entry.is_symlink() or not entry.is_dir():
                entry.unlink()
            else:
                shutil.rmtree(entry)
        summary.path_in(folder).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        raise StudiesError(
            f"{explain(error, relative(folder))}; the study is kept, and the same command removes "
            "the rest"
        ) from error
    with suppress(OSError):  # of a name in parts: there is more in it
        for above in list(folder.parents)[: name.count("/")]:
            above.rmdir()
