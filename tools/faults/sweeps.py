"""Sweeps of the harness's job as processes: their command, their workers, and how they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import psutil

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 180  # seconds after which something hangs
POLL = 0.02  # seconds
JOB = ("tools.faults.job", "-m")


@dataclass(frozen=True)
class Study:
    """A study of the harness's job, as a command that can be given again and again.

    `before` are words in front of the command, such as `unshare`. `words` are further overrides.
    """

    folder: Path
    storage: str
    trials: int = 8
    name: str = "faults"
    words: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    module: tuple[str, ...] = JOB

    @property
    def runs(self) -> Path:
        """The folder of its run directories."""
        return self.folder / "multirun" / self.name

    def command(self) -> list[str]:
        """Return the command of a sweep."""
        own = [f"hydra.sweeper.storage={self.storage}", f"hydra.sweeper.study_name={self.name}"]
        own += [f"hydra.sweeper.n_trials={self.trials}", *self.words]
        return [*self.before, sys.executable, "-m", *self.module, *own]

    def start(self, *words: str, **environment: str) -> "Sweep":
        """Start a sweep, with further overrides and environment variables."""
        given = replace(self, words=(*self.words, *words))
        return Sweep(given.command(), self.folder, environment)

    def finish(self, *words: str) -> "Sweep":
        """Run a sweep to its end."""
        sweep = self.start(*words)
        sweep.wait()
        return sweep


class Sweep:
    """A running sweep; what it prints goes to a file of its own."""

    started: ClassVar[list["Sweep"]] = []

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.started.append(self)
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder, which may become full or read-only.
        self.log = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.log")
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes, those that have become workers by now."""
        with suppress(psutil.Error):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if _is_worker(child)]
        return []

    def kill(self, workers: bool = False) -> None:
        """Kill it as `kill -9` does; its workers at the same moment if they are to be, too."""
        found = self.workers()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if workers:
            for worker in found:
                with suppress(psutil.Error):
                    worker.kill()
        self.process.wait()

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Return its exit code; None, after killing it, where it has not ended in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill(workers=True)
            return None

    def text(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_line(self) -> str:
        """Return the last line that it printed."""
        lines = [line for line in self.text().splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"

    def errors(self) -> list[str]:
        """Return the lines that it printed as errors."""
        return [line for line in self.text().splitlines() if line.startswith("error: ")]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "mnist_sweep.sweep.jobs.worker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def end_all() -> None:
    """Kill what still runs, stopped or not."""
    for sweep in Sweep.started:
        if sweep.running:
            sweep.kill(workers=True)
    Sweep.started.clear()


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait for something; return whether it happened in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True
