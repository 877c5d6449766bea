"""A study in one file, to be opened on another machine: a database of its own, and its folder."""

import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

import optuna
from optuna.storages import BaseStorage
from sqlalchemy.pool import StaticPool

from mnist_sweep.cli.printed_commands import entry, shell
from mnist_sweep.files import replacing, writing
from mnist_sweep.passwords import without_password
from mnist_sweep.studies.copying import copied
from mnist_sweep.studies.errors import StudiesError
from mnist_sweep.studies.opening import load
from mnist_sweep.study_folder import BEST, BEST_RUN
from mnist_sweep.sweep.moved_runs import Places
from mnist_sweep.sweep.settings import why_no_directory
from mnist_sweep.sweep.storage import open_database
from mnist_sweep.text import counted, megabytes, printable, relative, visible

DATABASE = "optuna.db"  # beside the runs: a report finds them there
SUFFIX = ".zip"
# What is of use to the machine alone that wrote it.
LEFT_OUT = (".lock", ".tmp")


def export(name: str, address: str, storage: BaseStorage, to: str) -> None:
    """Write a study and its folder into a ZIP file, as they are now, and say how it is opened.

    Passwords of addresses are left out, and so are links. Raises StudiesError.
    """
    path = Path(to)
    if path.suffix.lower() != SUFFIX:
        raise StudiesError(f"to={to} must end in {SUFFIX}")
    if path.exists():
        raise StudiesError(f"to={to} is there already: choose another name")
    study = load("export", name, address, storage)
    folder = Places(study, address).folder
    if folder is not None and path.resolve().is_relative_to(folder.resolve()):
        raise StudiesError(
            f"to={to} lies in the study's folder, {relative(folder)}: choose another"
        )
    inside = "study" if why_no_directory(name) else name
    with writing("to", path), replacing(path) as temporary:
        files = _write(temporary, inside, study, storage, folder)
    what = "no folder of its runs is here" if folder is None else f"{counted(files, 'file')} of it"
    print(f"{to}: study {printable(name)}, {what}, {megabytes(path.stat().st_size)}")
    there = f"sqlite:///{inside}/{DATABASE}"
    print(f"elsewhere: {shell(['python', '-m', 'zipfile', '-e', path.name, '.'])}")
    print(f"           {visible(entry('report', study=name, storage=there))}")


def _write(
    path: Path, inside: str, study: optuna.Study, storage: BaseStorage, folder: Path | None
) -> int:
    """Write the ZIP file; return how many files of the folder are in it."""
    count = 0
    # Clocks that were never set are before 1980, which ZIP cannot say.
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive,
        tempfile.TemporaryDirectory() as temporary,
    ):
        database = Path(temporary) / DATABASE
        _write_database(database, study, storage)
        archive.write(database, str(PurePosixPath(inside, DATABASE)))
        for file in _files(folder) if folder is not None else ():
            within = PurePosixPath(inside, *file.relative_to(folder or file).parts)
            if file.parent.name == ".hydra" and file.suffix == ".yaml":
                # Of a damaged one too nothing but passwords is left out.
                text = file.read_bytes().decode("utf-8", "surrogateescape")
                shared = _without_passwords(text).encode("utf-8", "surrogateescape")
                archive.writestr(str(within), shared)
            else:
                archive.write(file, str(within))
            count += 1
    return count


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder in their order, no link and nothing of the moment.

    best/ is links, which the next sweep makes anew; the database is of a study that was opened from
    such a file.
    """
    for file in _below(folder):
        marks = file == folder / BEST / BEST_RUN
        if not marks and not (file.parent == folder and file.name.startswith(DATABASE)):
            yield file


def _below(folder: Path) -> Iterator[Path]:
    """Yield a folder's files, those of its folders first.

    A run may be going on: its checkpoint, which must not know of an epoch that its metrics lack, is
    read before them.
    """
    for path in sorted(folder.iterdir(), key=lambda path: (not path.is_dir(), path.name)):
        if path.is_symlink():
            continue
        if path.is_dir():
            yield from _below(path)
        elif path.is_file() and not path.name.endswith(LEFT_OUT):
            yield path


def _write_database(path: Path, study: optuna.Study, storage: BaseStorage) -> None:
    """Write a study to an SQLite file of its own, made in memory, where writing is quick."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    settings = {"creator": lambda: memory, "poolclass": StaticPool}
    with closing(memory):
        target = open_database("sqlite://", engine_kwargs=settings)
        copied(study, storage, target, study.study_name, change=_shareable)
        target.remove_session()
        with closing(sqlite3.connect(path)) as file:
            memory.backup(file)


def _shareable(value: object) -> object:
    """Return a recorded value without the passwords of the addresses in it."""
    if isinstance(value, str):
        return _without_passwords(value)
    if isinstance(value, list):
        return [_shareable(each) for each in value]
    if isinstance(value, dict):
        return {key: _shareable(each) for key, each in value.items()}
    return value


def _without_passwords(text: str) -> str:
    """Return a text without passwords, which only addresses have."""
    return "".join(
        str(without_password(line)) if "://" in line else line
        for line in text.splitlines(keepends=True)
    )
