"""A study's own folder: where its sweep wrote, if that is its alone, and who is at work in it."""

import re
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from mnist_sweep.errors import explain
from mnist_sweep.folder_lock import LOCK
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.study_folder import ANSWER_LOCK, CONFIRMATION, HYDRAS, SUMMARY, WORKERS
from mnist_sweep.sweep import study_store, summary
from mnist_sweep.sweep.moved_runs import Places
from mnist_sweep.sweep.read_only import file_of
from mnist_sweep.sweep.storage import Storage
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.tally import Tally
from mnist_sweep.text import one_line, relative
from mnist_sweep.untrusted_files import parse_config

IDENTITY = re.compile(r"[0-9a-f]{32}")  # as sweep/study_store.py makes one
BESIDE_RUNS = (WORKERS, HYDRAS)  # in a folder in which no trial has ended
# Files that programs which train in a study's folder lock while they do.
LOCKS = (f"{CONFIRMATION}*/{LOCK}", ANSWER_LOCK)


def own_folder(study: optuna.Study, storage: Storage) -> Path | None:
    """Return the folder that is a study's own, None where none is here.

    Its summary says whose it is; while no trial has ended, all that is in it. Raises StudiesError
    for one that is a link, or holds other studies, the storage, or the folder of the command or of
    the user.
    """
    identity = study.user_attrs.get(study_store.ID)
    if not (isinstance(identity, str) and IDENTITY.fullmatch(identity)):
        return None  # no sweep of ours has made it: a folder that it names may be anybody's
    folder = Places(study, str(storage.address)).folder or _begun(study)
    if folder is None:
        return None
    if folder.is_symlink():
        raise StudiesError(f"{relative(folder)} is a link, which is not followed: name its target")
    held = folder.resolve()
    for place, what in ((Path.cwd(), "the folder that you are in"), (Path.home(), "your home")):
        if place.resolve().is_relative_to(held):
            raise StudiesError(f"{folder} holds {what}: it is left as it is")
    path = file_of(str(storage.address))
    if path is not None and path.resolve().is_relative_to(held):
        raise StudiesError(
            f"{relative(folder)} holds the storage itself: move {path.name} out of it, and give "
            "the same command with its new address"
        )
    _check_alone(folder, identity, study.study_name, storage)
    return folder


def _begun(study: optuna.Study) -> Path | None:
    """Return where a study's sweep began to write, if nothing but runs of its trials is there."""
    recorded = study.user_attrs.get(study_store.DIRECTORY)
    if not isinstance(recorded, str) or not Path(recorded).is_dir():
        return None
    entries = [entry for entry in Path(recorded).iterdir() if entry.name not in BESIDE_RUNS]
    runs = bool(entries) and all(_is_run(entry, study.study_name) for entry in entries)
    return Path(recorded) if runs else None


def _is_run(path: Path, name: str) -> bool:
    """Whether a directory is that of a trial of a study of that name."""
    if not path.name.isdigit() or path.is_symlink():
        return False
    if outcomes.recorded(path).get("study") == name:
        return True
    try:
        config = parse_config(path / ".hydra" / "config.yaml")
    except (OSError, ValueError):
        return False
    return bool(OmegaConf.select(config, "study", throw_on_resolution_failure=False) == name)


def identify(folder: Path, study: optuna.Study, storage: Storage) -> None:
    """Have a folder say whose it is, for whoever finds it half moved or removed."""
    if not summary.path_in(folder).exists():
        try:
            summary.write_results(Tally(study), storage.address, folder, final=False)
        except OSError as error:
            raise StudiesError(explain(error, relative(folder))) from error


def _check_alone(folder: Path, identity: str, name: str, storage: Storage) -> None:
    """Raise StudiesError where other studies' folders lie in a study's."""
    inner = [n for n in optuna.get_all_study_names(storage.optuna) if n.startswith(f"{name}/")]
    for path in folder.rglob(SUMMARY):
        if path.is_symlink() or path.parent == folder:
            continue
        if _identity(path) != identity:
            inner.append(relative(path.parent))
    if inner:
        raise StudiesError(
            f"{relative(folder)} holds the runs of another study as well ({inner[0]}): delete or "
            "rename that first"
        )


def _identity(path: Path) -> object:
    """Return what a summary says of its study."""
    try:
        return OmegaConf.select(OmegaConf.load(path), "study_id", default=None)
    except Exception as error:  # YAML's kinds and the system's
        raise StudiesError(f"{relative(path)} cannot be read: {one_line(error)}") from error


def twins(study: optuna.Study, storage: Storage) -> list[str]:
    """Return the other studies of a storage that have a study's runs, as copies of it do."""
    identity = study.user_attrs.get(study_store.ID)
    return [
        found.study_name
        for found in storage.optuna.get_all_studies()
        if identity is not None
        and found.study_name != study.study_name
        and found.user_attrs.get(study_store.ID) == identity
    ]


def check_unused(folder: Path) -> None:
    """Raise StudiesError where another program trains in a study's folder."""
    for pattern in LOCKS:
        for path in folder.glob(pattern):
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise StudiesError(
                    f"another program is at work in {relative(path.parent)}: wait for it, or end it"
                ) from error
            except OSError:  # it cannot be locked, so nobody has
                continue
            lock.release()
