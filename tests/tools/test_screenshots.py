"""The pictures of docs/pictures/."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tools import screenshots
from tools.screenshots import LARGEST, ScreenshotError, make_small, middle_of_sweep

ROOT = Path(__file__).parent.parent.parent
VIEW = """
import sys, time
for n in range(4):
    for epoch in range(2):
        print(f"\\r{n}/3 trials |##| epoch {epoch}", end="", flush=True)
        time.sleep(0.3)
print("\\r" + " " * 30 + "\\rbest: trial 1")
"""


def test_without_chromium_it_refuses_in_one_line_before_any_work(tmp_path):
    line = [sys.executable, "-m", "tools.screenshots", "study=s", f"to={tmp_path / 'new'}"]
    environment = {"PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
    assert said.startswith("error: pictures need Chromium, and none of chromium, ")
    assert not (tmp_path / "new").exists()


def test_the_last_screen_before_another_trial_is_done_is_kept(tmp_path):
    found = middle_of_sweep(["-c", VIEW], tmp_path, 2, 3)
    assert found == "2/3 trials |##| epoch 1"


def test_a_sweep_that_fails_is_said_with_its_last_line(tmp_path):
    with pytest.raises(ScreenshotError, match="exit code 1: no such setting"):
        middle_of_sweep(["-c", "import sys; sys.exit('no such setting')"], tmp_path, 2, 3)


def test_a_picture_is_made_small_and_a_large_one_is_refused(tmp_path, capsys):
    png = tmp_path / "noise.png"
    Image.new("RGB", (300, 200), "#123456").save(png)
    make_small(png)
    assert png.stat().st_size < 1000
    assert "noise.png, 300 x 200, 0 kB" in capsys.readouterr().out
    noise = random.Random(0).randbytes(600 * 600 * 3)
    Image.frombytes("RGB", (600, 600), noise).save(png)
    with pytest.raises(ScreenshotError, match=f"bytes, more than {LARGEST:,}"):
        make_small(png)


@pytest.mark.parametrize("name", ["report-light", "report-dark", "terminal"])
def test_the_committed_pictures_are_small_enough_for_a_page(name):
    path = Path(screenshots.Screenshots("").to) / f"{name}.png"
    assert 10_000 < path.stat().st_size <= LARGEST
