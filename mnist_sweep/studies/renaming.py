"""Renaming a study, with the folder of its runs and what is recorded there.

Nothing is lost wherever it is cut short: the study is copied first and deleted last, and its folder
is found by its summary at either place. The same command then finishes what is left.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from mnist_sweep.errors import explain
from mnist_sweep.studies.copying import copied
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.folder import check_unused, identify, own_folder
from mnist_sweep.studies.opening import Owners, load
from mnist_sweep.studies.relabelling import check_readable, relabel
from mnist_sweep.sweep import study_store
from mnist_sweep.sweep.settings import why_no_directory
from mnist_sweep.sweep.storage import Storage
from mnist_sweep.text import printable, relative

RENAMED = "renamed_from"  # the study's user attribute that says what it was called


def rename(old: str, new: str, storage: Storage) -> None:
    """Give a study and its folder another name. Raises StudiesError where that cannot be."""
    _check_names(old, new)
    study = load("rename", old, str(storage.address), storage.optuna)
    owners = Owners(study)
    owners.check()
    with storage.lock(old):  # no sweep gives out a trial meanwhile
        owners.check()
        folder = own_folder(study, storage)
        target = _target(folder, old, new)
        if folder is not None:
            check_unused(folder)
            identify(folder, study, storage)
            _check_records(folder)  # before anything is copied or moved
        where = target or folder
        copy = _copy(study, new, storage, where)
        if folder is not None and where is not None:
            _move(folder, where)
            _relabel(where, old, copy)
        optuna.delete_study(study_name=old, storage=storage.optuna)
    print(printable(f"study {old} is {new} now{_said(folder, target)}"))


def _check_names(old: str, new: str) -> None:
    if objection := why_no_directory(new):
        raise StudiesError(f"to={new!r} must name a directory below multirun/: {objection}")
    if new == old:
        raise StudiesError(f"to={new} is its name already")
    if new.startswith(f"{old}/"):
        raise StudiesError(f"to={new} lies in {old}: a folder cannot be moved into itself")


def _target(folder: Path | None, old: str, new: str) -> Path | None:
    """Return where a folder goes; None where its name is not the study's, so that it stays.

    It is there already where an earlier call was cut short. Raises StudiesError where something
    else is.
    """
    if folder is None:
        return None
    for name in (old, new):
        parts = Path(name).parts
        if folder.parts[-len(parts) :] == parts:
            target = folder.parents[len(parts) - 1] / new
            if target != folder and (target.exists() or target.is_symlink()):
                raise StudiesError(f"to={new}: {relative(target)} is there already: choose another")
            return target
    return None


def _said(folder: Path | None, target: Path | None) -> str:
    if folder is None:
        return "; no folder of its runs is here"
    if target is None:
        return f"; its folder {relative(folder)}, which has another name, stays"
    return f", and its folder {relative(target)}"


def _copy(study: optuna.Study, new: str, storage: Storage, folder: Path | None) -> optuna.Study:
    """Return the study under its new name: the copy of an earlier call where that is whole."""
    if new in optuna.get_all_study_names(storage.optuna):
        before = optuna.load_study(study_name=new, storage=storage.optuna)
        if _is_whole(before, study):
            return before
        optuna.delete_study(study_name=new, storage=storage.optuna)
    change = _moved(study, folder)
    more = {RENAMED: study.study_name}
    return copied(study, storage.optuna, storage.optuna, new, change, more)


def _is_whole(copy: optuna.Study, study: optuna.Study) -> bool:
    """Whether a study is all of another's copy, and not its beginning. Raises StudiesError."""
    identity = study.user_attrs.get(study_store.ID)
    ours = copy.user_attrs.get(RENAMED) == study.study_name
    # A copy that was cut short may not have got as far as its identity.
    if not ours or copy.user_attrs.get(study_store.ID, identity) != identity or identity is None:
        raise StudiesError(f"to={copy.study_name} is a study already: choose another name")
    theirs, own = (each.get_trials(deepcopy=False) for each in (copy, study))
    if len(theirs) > len(own) or any(map(_differ, theirs, own)):
        raise StudiesError(
            f"to={copy.study_name} is what an earlier call has made of {study.study_name}, and one "
            f"of them has been swept since: keep both, or delete={study.study_name} or "
            f"delete={copy.study_name} (which leaves the runs)"
        )
    return len(theirs) == len(own)


def _differ(one: FrozenTrial, other: FrozenTrial) -> bool:
    return (one.state, one.values, one.params) != (other.state, other.values, other.params)


def _moved(study: optuna.Study, folder: Path | None) -> Callable[[Any], Any]:
    """Return what makes of a recorded directory where that is in a folder; of all else itself."""
    before = study.user_attrs.get(study_store.DIRECTORY)
    if folder is None or not isinstance(before, str):
        return lambda value: value
    after, beginning = relative(folder), f"{before}/"

    def moved(value: Any) -> Any:
        if value == before:
            return after
        if isinstance(value, str) and value.startswith(beginning):
            return f"{after}/{value.removeprefix(beginning)}"
        return value

    return moved


def _move(folder: Path, target: Path) -> None:
    if folder == target:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    except OSError as error:
        raise StudiesError(
            f"{explain(error, relative(folder))}; both names are studies now: give the same "
            "command again"
        ) from error


def _check_records(folder: Path) -> None:
    try:
        check_readable(folder)
    except (OSError, ValueError) as error:
        said = explain(error, relative(folder)) if isinstance(error, OSError) else error
        raise StudiesError(
            f"{said}; mend that file or move it away, and give the same command again"
        ) from error


def _relabel(folder: Path, old: str, study: optuna.Study) -> None:
    try:
        relabel(folder, old, study.study_name)
    except (OSError, ValueError) as error:
        said = explain(error, relative(folder)) if isinstance(error, OSError) else error
        raise StudiesError(
            f"{said}; both names are studies now: give the same command again"
        ) from error
