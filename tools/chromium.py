"""Chromium without a window: pictures of pages, for docs/ and the tests."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mnist_sweep.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 120  # seconds
SETTLED = 5000  # milliseconds of the page's own clock, in which its scripts have run
# Without what a browser does beside, such as updates. The pages are our own, and where Chromium is
# root or in a container its sandbox does not start.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    f"--virtual-time-budget={SETTLED}",
)
DARK, LIGHT = 0, 1  # blink.mojom.PreferredColorScheme


class ChromiumError(UserError):
    """There is no Chromium, or it takes no picture."""


def find() -> str | None:
    """Return the program that CHROME names, else the first on PATH; None where there is none."""
    names = [os.environ["CHROME"]] if os.environ.get("CHROME") else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


def browser() -> str:
    """Return Chromium's program. Raises ChromiumError where there is none."""
    found = find()
    if found is None:
        named = os.environ.get("CHROME")
        missing = (
            f"CHROME={named} is no program" if named else f"none of {', '.join(NAMES)} is on PATH"
        )
        raise ChromiumError(f"pictures need Chromium, and {missing}: install it, or set CHROME=")
    return found


def photograph(
    page: Path, png: Path, width: int, height: int, dark: bool = False, scale: int = 1
) -> None:
    """Write what a window of some size, in CSS pixels, shows of a page: `scale` dots to a pixel.

    Raises ChromiumError.
    """
    size = (f"--window-size={width},{height}", f"--force-device-scale-factor={scale}")
    scheme = f"--blink-settings=preferredColorScheme={DARK if dark else LIGHT}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        line = [browser(), *FLAGS, f"--user-data-dir={profile}", *size, scheme]
        line += [f"--screenshot={png.resolve()}", page.resolve().as_uri()]
        try:
            done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise ChromiumError(f"Chromium took no picture in {TIMEOUT} s") from error
    if done.returncode or not png.exists():
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ChromiumError(f"Chromium took no picture: {said[-1]}")
