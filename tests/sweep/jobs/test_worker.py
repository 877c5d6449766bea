"""Another application's jobs in workers: what is there for them as under Hydra's basic launcher."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

# Its `device` can be resolved in a job alone, and its pool is given functions of `__main__`.
APP = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial, wraps

import hydra
from hydra.core.hydra_config import HydraConfig


class Point:
    def __init__(self, x):
        self.x = x

    def squared(self):
        return self.x * self.x


def square(x):
    return x * x


def squares(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        return pool.map(square, [1, 2, 3])


def told(function):
    @wraps(function)
    def wrapper(config):
        return function(config)

    return wrapper


@hydra.main(config_path=".", config_name="config")
@told
def main(config):
    what = config.what
    if what in ("fork", "spawn", "forkserver"):
        found = squares(what)
    elif what == "executor":
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found = [list(pool.map(Point.squared, [Point(3)])), config.device]
    else:
        job = HydraConfig.get().job
        found = [job.id, job.num, job.name, sys.argv[1:2]]
    print(what, found)


if __name__ == "__main__":
    main()
"""
CONFIG = """
what: job
device: ${hydra:job.num}
hydra:
  sweep: {dir: out}
  hydra_logging: {root: null}
"""
WHAT = ["job", "fork", "spawn", "forkserver", "executor"]
SAID = """job ['0', 0, 'app', ['-m']]
fork [1, 4, 9]
spawn [1, 4, 9]
forkserver [1, 4, 9]
executor [[9], 4]
"""


@pytest.fixture
def printed(tmp_path):
    """Return a function that runs the application's combinations; it returns what they printed."""
    Path("app.py").write_text(APP)
    Path("config.yaml").write_text(CONFIG)

    def run(*arguments):
        command = [sys.executable, *arguments, "hydra/job_logging=disabled"]
        command += ["hydra/hydra_logging=disabled", f"what={','.join(WHAT)}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(
    "start",
    [["app.py"], pytest.param(["-m", "app"], marks=pytest.mark.slow)],
    ids=["a script", "a module"],
)
def test_jobs_in_a_worker_have_what_they_have_under_the_basic_launcher(printed, start):
    workers = ["hydra/launcher=workers", "hydra.launcher.n_jobs=1"]
    assert printed(*start, "-m", *workers) == SAID


def test_this_is_what_they_have_under_the_basic_launcher(printed):
    assert printed("app.py", "-m", "hydra/launcher=basic") == SAID


PATIENT = """
import subprocess
import time

import hydra


@hydra.main(config_path=None)
def main(config):
    child = subprocess.Popen(["sleep", "600"])
    try:
        with open("said", "a") as file:
            file.write(f"{child.pid}\\n")
        time.sleep(600)
    except KeyboardInterrupt:
        with open("said", "a") as file:
            file.write("interrupted\\n")
        raise


if __name__ == "__main__":
    main()
"""


# Runs a command in a terminal of its own, and types Ctrl-C once a file has two lines.
TERMINAL = """
import os
import pty
import sys
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
while not (os.path.exists("said") and open("said").read().count("\\n") == 2):
    time.sleep(0.02)
os.write(terminal, b"\\x03")
try:
    while os.read(terminal, 4096):
        pass
except OSError:  # what Linux says where the other end is closed
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_ctrl_c_in_a_terminal_interrupts_jobs_and_ends_what_they_have_started():
    Path("app.py").write_text(PATIENT)
    command = ["app.py", "-m", "hydra/launcher=workers", "hydra.launcher.n_jobs=2", "+x=1,2"]
    terminal = [sys.executable, "-c", TERMINAL, *command]
    done = subprocess.run(terminal, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(-signal.SIGINT), done.stderr
    *pids, first, second = Path("said").read_text().split()
    assert (first, second) == ("interrupted", "interrupted")
    left = [each for each in psutil.process_iter(["status"]) if str(each.pid) in pids]
    assert not [each for each in left if each.info["status"] != psutil.STATUS_ZOMBIE]
