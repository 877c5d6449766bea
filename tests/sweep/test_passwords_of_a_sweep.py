"""A sweep whose storage has a password, and everything that it leaves and shows."""

import json
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

SECRET = "open-sesame-4711"

SWEEP = [
    "-m",
    "search=command_line",
    "model=linear",
    "data=mnist_5k",
    "epochs=1",
    "batch_size=500",
    "threads=1",
    "seed=range(0,9)",
    "hydra.sweeper.study_name=s",
    "hydra.sweeper.n_trials=2",
    "hydra.sweeper.n_jobs=1",
]

# Programs in one process, one after another: each on its own would import torch for seconds.
IN_TURN = """
import json, runpy, sys
from hydra.core.global_hydra import GlobalHydra

for module, *words in json.loads(sys.argv[1]):
    sys.argv = [module, *words]
    GlobalHydra.instance().clear()
    try:
        runpy.run_module(f"mnist_sweep.{module}", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


def python(*words):
    """Start Python, whose output goes to a file."""
    command = [sys.executable, *words]
    with Path("printed.txt").open("a", encoding="utf-8") as printed:
        return subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)


def watched(process):
    """Return the command lines of all that a process starts, until it ends."""
    seen = set()
    top = psutil.Process(process.pid)
    while True:
        with suppress(psutil.NoSuchProcess):
            seen |= {" ".join(child.cmdline()) for child in top.children(recursive=True)}
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
            return seen


def test_the_password_is_in_nothing_that_a_sweep_and_its_readers_leave(server, tmp_path):
    by_name = server.replace("sweeper@", f"sweeper:{SECRET}@")
    by_parameter = f"{server}?password={SECRET}"
    sweep = python("-m", "mnist_sweep.train", *SWEEP, f"hydra.sweeper.storage='{by_name}'")
    started = watched(sweep)
    assert sweep.returncode == 0, Path("printed.txt").read_text(encoding="utf-8")
    assert any("worker" in line or "-c" in line for line in started)
    storage = f"storage={by_parameter}"
    programs = (
        ("report", "study=s", storage),
        ("studies", storage),
        ("studies", "export=s", "to=s.zip", storage),
        ("reproduce", "study=s", "to=again", storage),
        ("train", *SWEEP, f"hydra.sweeper.storage='{by_parameter}'"),
    )
    readers = python("-c", IN_TURN, json.dumps(programs))
    assert readers.wait() == 0, Path("printed.txt").read_text(encoding="utf-8")
    with zipfile.ZipFile("s.zip") as exported:
        exported.extractall(tmp_path / "extracted")

    assert SECRET not in "".join(started)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [str(path) for path in files if SECRET.encode() in path.read_bytes()] == []
