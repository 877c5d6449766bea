"""The application of docs/your_application.md, run from its commands in another folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_sweep import study

ROOT = Path(__file__).parents[2]
FOLDER, PAGE = ROOT / "examples" / "digits", ROOT / "docs" / "your_application.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)
FILES = ("config.yaml", "cost.py", "app.py")  # in the page's order
SERVERS = ("mnist_sweep.dashboard",)


def blocks(*kinds):
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return [text for kind, text in found if kind in kinds]


def test_the_pages_files_are_the_examples():
    files = [(FOLDER / name).read_text(encoding="utf-8") for name in FILES]
    assert blocks("yaml", "python") == files


@pytest.mark.slow
def test_the_pages_commands_search_report_and_repeat(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "app")
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"  # of this environment, whether that is activated or not
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    lines = [line for text in blocks("bash") for line in text.splitlines()]
    script = "\n".join(["set -e", *(line for line in lines if not any(s in line for s in SERVERS))])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path / "app",
        env=os.environ
        | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch 10/10  accuracy" in done.stdout
    assert "Gate: " in done.stdout
    assert "study digits: 12 of 12 trials finished" in done.stdout
    assert re.search(r"difference: \S+ ± \S+ points", done.stdout)

    found = study("digits", f"sqlite:///{tmp_path / 'app' / 'multirun' / 'optuna.db'}")
    launched = [trial for trial in found.trials if trial["status"] in ("complete", "pruned")]
    assert len(launched) == 12
    assert all(trial["figures"]["bytes"] <= 120_000 for trial in launched)
    assert {"accuracy"} == set(found.best["values"])
    assert any(trial["status"] == "pruned" for trial in launched)
    assert (tmp_path / "app" / "multirun" / "digits" / "report" / "index.html").exists()
