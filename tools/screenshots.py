"""The pictures of docs/pictures/: a study's report, and the terminal of a sweep.

    python -m tools.screenshots study=schedule-enhanced-mnist

study    whose report is shown
storage  where it is; sqlite:///multirun/optuna.db where that is left out
to       the folder of the pictures; docs/pictures of this checkout where that is left out
trials   of the sweep whose terminal is shown, on mnist_5k; 8
epochs   of each of them; 3

report-light.png, report-dark.png  the report's first screen, 1200 pixels wide
terminal.png                       a sweep of which three quarters are done, in 100 columns

They are drawn by Chromium, which is on PATH or named by CHROME. The sweep is a real one, in a
folder of its own, and takes a minute or two.
"""

import html
import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mnist_sweep.cli import arguments
from mnist_sweep.errors import UserError
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.text import relative
from tools.chromium import browser, photograph
from tools.terminal import watch

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 1200, 660  # of the report's first screen
COLUMNS = 100  # of the terminal
LARGEST = 200_000  # bytes of a picture
TERMINAL = """\
<!DOCTYPE html>
<meta charset="utf-8">
<style>
body {{ margin: 0; background: #14181f; }}
pre {{ margin: 0; padding: 15px; border: 1px solid #46505c; box-sizing: border-box; height: 100vh;
      color: #e6e9ed; font: 14px/20px "DejaVu Sans Mono", "Liberation Mono", monospace; }}
b {{ color: #7fb8ff; }}
</style>
<pre><b>$ {command}</b>
{screen}</pre>
"""
CHARACTER, LINE, AROUND = 8.45, 20, 32  # CSS pixels of that font: wide, high, and beside the text


class ScreenshotError(UserError):
    """There is nothing to take a picture of, or the picture is too large."""


@dataclass
class Screenshots:
    """The command line; see the module."""

    study: str
    storage: str = STORAGE
    to: str = str(ROOT / "docs" / "pictures")
    trials: int = 8
    epochs: int = 3


def main(asked: Screenshots) -> None:
    """Take the pictures, and say where they are."""
    for name, value in (("trials", asked.trials), ("epochs", asked.epochs)):
        if value < 1:
            raise ScreenshotError(f"{name} must be at least 1, but got {value}")
    browser()  # before minutes of work
    to = Path(asked.to)
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        take_report(asked.study, asked.storage, Path(folder), to)
        take_terminal(asked.trials, asked.epochs, Path(folder), to)


def take_report(study: str, storage: str, folder: Path, to: Path) -> None:
    """Take a study's report, light and dark; `folder` is for the report itself."""
    # These import matplotlib and optuna, which a refusal and --help must not wait for.
    from mnist_sweep.report.page import page
    from mnist_sweep.report.study_report import study_report
    from mnist_sweep.sweep.study_record import read_study

    record = read_study(study, storage)
    made = study_report(record)
    shown = folder / "report.html"
    shown.write_text(page(record.name, made.sections, made.figures, made.trials), encoding="utf-8")
    for name, dark in (("report-light", False), ("report-dark", True)):
        png = to / f"{name}.png"
        photograph(shown, png, WIDTH, HEIGHT, dark)
        make_small(png)


def take_terminal(trials: int, epochs: int, folder: Path, to: Path) -> None:
    """Take the terminal of a sweep, which runs in `folder`."""
    words = ["-m", "mnist_sweep.train", "-m", "data=mnist_5k", f"epochs={epochs}"]
    words += [f"hydra.sweeper.n_trials={trials}"]
    shown, png = folder / "terminal.html", to / "terminal.png"
    screen = middle_of_sweep(words, folder, 3 * trials // 4, trials)
    command = shlex.join(["python", *words])
    shown.write_text(
        TERMINAL.format(command=html.escape(command), screen=html.escape(screen)), encoding="utf-8"
    )
    lines = screen.count("\n") + 2
    size = (round(COLUMNS * CHARACTER) + AROUND, lines * LINE + AROUND)
    photograph(shown, png, *size, scale=2)
    make_small(png)


def middle_of_sweep(words: list[str], folder: Path, done: int, trials: int) -> str:
    """Return the screen of a sweep when so many trials are done, the last one before another is.

    Raises ScreenshotError where the sweep fails.
    """
    kept, last = "", ""
    view = re.compile(rf"^{done}/{trials} trials? \|", re.MULTILINE)

    def see(screen: str) -> None:
        nonlocal kept, last
        last = screen
        if view.search(screen):
            kept = screen

    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": python_path}
    code = watch([sys.executable, *words], folder, environment, COLUMNS, see)
    if code or not kept:
        ended = last.strip().splitlines()[-1:] or ["it printed nothing"]
        raise ScreenshotError(f"the sweep ended with exit code {code}: {ended[0]}")
    return kept


def make_small(png: Path) -> None:
    """Reduce a picture to 256 colours, and say where it is. Raises ScreenshotError if too large."""
    with Image.open(png) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(png, optimize=True)
    size = png.stat().st_size
    if size > LARGEST:
        raise ScreenshotError(f"{png} has {size:,} bytes, more than {LARGEST:,}")
    print(f"written: {relative(png)}, {small.width} x {small.height}, {size / 1000:.0f} kB")


if __name__ == "__main__":
    arguments.run(Screenshots, __doc__ or "", main)
