"""Readers of files that others may have written, on files that were changed at random."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_changed_file_is_read_or_refused_within_little_memory(material):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-W", "ignore", "-m", "tests.inputs.fuzz", str(material), "24"]
    done = subprocess.run(words, env=environment, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("changed files: 264 tried, ")
