"""best/ in a sweep's directory: links to the entries of the run that is best so far."""

import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path

EVENTS = "events.out.tfevents"  # how TensorBoard's files begin
MARKER = "trial"  # a file in it that says which run it links to


def point_to(link: Path, run: Path) -> None:
    """Make a directory whose entries link to a run's, all but its TensorBoard events.

    TensorBoard follows links: one to the directory itself would show the run a second time. Where
    somebody has put files of his own into it, they stay, and the links are changed beside them.
    """
    if not run.is_dir() or run.resolve().parent != link.parent.resolve():
        return  # another machine's run, or another task's, which is not ours to point to
    with suppress(OSError):
        if (link / MARKER).read_text(encoding="utf-8").strip() == run.name:
            return
    if link.is_symlink() or (link.exists() and not link.is_dir()):
        return  # of somebody's own
    if link.is_dir() and any(not _is_ours(entry) for entry in link.iterdir()):
        _remove_links(link)
        _fill(link, run)
        return
    fresh, old = (link.with_name(f".{link.name}.{uuid.uuid4().hex[:8]}") for _ in range(2))
    fresh.mkdir()
    _fill(fresh, run)
    with suppress(OSError):  # there may be none
        link.rename(old)
    try:
        fresh.rename(link)
    except OSError:  # another sweep of the study was quicker
        shutil.rmtree(fresh, ignore_errors=True)
    if old.is_dir():
        _remove_links(old)
        with suppress(OSError):
            old.rmdir()


def remove_unfinished(link: Path, seconds: float) -> None:
    """Remove what killed processes were making of `link`, if that is so many seconds old."""
    for folder in link.parent.glob(f".{link.name}.*"):
        with suppress(OSError):  # another process removes it too, or it holds somebody's own
            if folder.is_dir() and time.time() - folder.stat().st_mtime >= seconds:
                _remove_links(folder)
                folder.rmdir()


def _fill(folder: Path, run: Path) -> None:
    for entry in run.iterdir():
        if not entry.name.startswith(EVENTS) and entry.name != MARKER:
            with suppress(FileExistsError):  # somebody's own file of that name
                (folder / entry.name).symlink_to(Path("..") / run.name / entry.name)
    (folder / MARKER).write_text(f"{run.name}\n", encoding="utf-8")


def _is_ours(entry: Path) -> bool:
    """Whether an entry is one that `point_to` makes."""
    if not entry.is_symlink():
        return entry.name == MARKER and entry.is_file()
    parts = entry.readlink().parts
    return len(parts) == 3 and parts[0] == ".." and parts[2] == entry.name


def _remove_links(folder: Path) -> None:
    for entry in folder.iterdir():
        if _is_ours(entry):
            entry.unlink(missing_ok=True)
