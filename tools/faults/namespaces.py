"""What needs a right to mount: small disks, read-only folders, another host's name or clock.

A process of `unshare` has its own mounts and host name, and changes nothing for the others.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.faults.scenario import Skipped

STAT = Path("/proc/stat")  # its line `btime` is the boot by the present wall clock


def need_root() -> None:
    """Raise Skipped where this process may not mount, or there is no `unshare`."""
    if shutil.which("unshare") is None:
        raise Skipped("there is no unshare here (util-linux)")
    done = subprocess.run(["unshare", "--mount", "--uts", "true"], capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f"this user may not mount: {done.stderr.strip()}")


def in_shell(script: str, *values: str | Path) -> tuple[str, ...]:
    """Return what to put in front of a command: its own mounts and name, made by a shell script.

    The script has `values` as $1, $2, ...
    """
    shift = f'{script} && shift {len(values)} && exec "$@"'
    return ("unshare", "--mount", "--uts", "sh", "-c", shift, "sh", *map(str, values))


def host(name: str) -> tuple[str, ...]:
    """Return what makes a command another machine's, as far as it can tell."""
    return in_shell('hostname "$1"', name)


def read_only_tmp(kept: Path) -> tuple[str, ...]:
    """Return what makes the folders of temporary files read-only, but for a folder that is kept."""
    script = 'mount --bind "$1" "$1" && for tmp in /tmp /var/tmp; do '
    script += "mount --rbind $tmp $tmp && mount -o remount,bind,ro $tmp || exit 1; done"
    return in_shell(f'{script} && cd "$PWD"', kept)


def clock(stat: Path) -> tuple[str, ...]:
    """Return what makes a command read the kernel's figures from a file; see `set_clock`."""
    return in_shell('mount --bind "$1" /proc/stat', stat)


def set_clock(stat: Path, seconds: int) -> None:
    """Write the kernel's figures as they were if somebody had set the clock by so many seconds."""
    text = STAT.read_text(encoding="utf-8")
    moved = re.sub(r"^btime (\d+)$", lambda m: f"btime {int(m[1]) + seconds}", text, flags=re.M)
    with stat.open("r+" if stat.exists() else "w", encoding="utf-8") as file:
        file.write(moved)  # in place: a bind mount is of the file, not of its name
        file.truncate()


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Make a folder a disk of that size. Raises Skipped."""
    need_root()
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only, also for root. Raises Skipped."""
    need_root()
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f"this user may not mount: {done.stderr.strip()}")


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to its last byte; return the file that does."""
    filler = folder / "filler"
    descriptor = os.open(filler, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (4096, 1):
            _write_until_full(descriptor, bytes(size))
    finally:
        os.close(descriptor)
    return filler


def _write_until_full(descriptor: int, block: bytes) -> None:
    with suppress(OSError):
        while True:
            os.write(descriptor, block)
