"""best/ in a sweep's directory: links to the entries of the run that is best so far."""

import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

from mnist_sweep.errors import is_the_machines
from mnist_sweep.study_folder import BEST_RUN

EVENTS = "events.out.tfevents"  # how TensorBoard's files begin


def point_to(link: Path, run: Path) -> str | None:
    """Make a directory whose entries link to a run's, all but its TensorBoard events.

    TensorBoard follows links: one to the directory itself would show the run a second time. Where
    somebody has put files of his own into it, they stay, and the links are changed beside them.
    Where the best run is another machine's, or another task's, there is nothing to link to, and
    links to an earlier one are removed. Returns why there are no links where the file system has
    none; `BEST_RUN` alone says then which run it is.
    """
    if link.is_symlink() or (link.exists() and not link.is_dir()):
        return None  # of somebody's own
    with suppress(OSError):
        if (link / BEST_RUN).read_text(encoding="utf-8").strip() == run.name:
            return None
    if not run.is_dir() or run.resolve().parent != link.parent.resolve():
        if link.is_dir():
            _remove(link)
        return None
    if link.is_dir() and any(not _is_ours(entry) for entry in link.iterdir()):
        _remove_links(link)
        return _fill(link, run)
    fresh, old = (link.with_name(f".{link.name}.{uuid.uuid4().hex[:8]}") for _ in range(2))
    fresh.mkdir()
    said = _fill(fresh, run)
    with suppress(OSError):  # there may be none
        link.rename(old)
    try:
        fresh.rename(link)
    except OSError:  # another sweep of the study was quicker
        shutil.rmtree(fresh, ignore_errors=True)
    if old.is_dir():
        _remove(old)
    return said


def remove_unfinished(link: Path, seconds: float) -> None:
    """Remove what killed processes were making of `link`, if that is so many seconds old."""
    for folder in link.parent.glob(f".{link.name}.*"):
        with suppress(OSError):  # another process removes it too, or it holds somebody's own
            if folder.is_dir() and time.time() - folder.stat().st_mtime >= seconds:
                _remove(folder)


def _fill(folder: Path, run: Path) -> str | None:
    """Link to a run's entries, and name it; return why there are no links, if there are none."""
    said = None
    try:
        for entry in run.iterdir():
            if not entry.name.startswith(EVENTS) and entry.name != BEST_RUN:
                with suppress(FileExistsError):  # somebody's own file of that name
                    (folder / entry.name).symlink_to(Path("..") / run.name / entry.name)
    except OSError as error:
        if is_the_machines(error):
            raise
        said = error.strerror or type(error).__name__
    (folder / BEST_RUN).write_text(f"{run.name}\n", encoding="utf-8")
    return said


def _is_ours(entry: Path) -> bool:
    """Whether an entry is one that `point_to` makes."""
    if not entry.is_symlink():
        return entry.name == BEST_RUN and entry.is_file()
    parts = entry.readlink().parts
    return len(parts) == 3 and parts[0] == ".." and parts[2] == entry.name


def _remove_links(folder: Path) -> None:
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):  # another sweep of the study removes it too
            if _is_ours(entry):
                entry.unlink()


def _remove(folder: Path) -> None:
    """Remove a folder of links, or the links alone where it holds somebody's own."""
    _remove_links(folder)
    with suppress(OSError):
        folder.rmdir()
