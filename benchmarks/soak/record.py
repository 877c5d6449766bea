"""What a sweep has used each time that its sampler hears of a trial's end, a line of JSON each."""

import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.samplers import BaseSampler, TPESampler

SAMPLERS: dict[str, type[BaseSampler]] = {
    "tpe": TPESampler,
    "random": optuna.samplers.RandomSampler,
}
# Where a sampler's time goes. TPE calls the methods of a random sampler of its own in some of them.
METHODS = (
    "before_trial",
    "infer_relative_search_space",
    "sample_relative",
    "sample_independent",
    "after_trial",
)


class Recorder:
    """A clock of a process's samplers that writes a line into `path` at each trial's end.

    Each line has, since the process began: `wall` and `cpu` seconds (user and system, of all its
    threads), `sampler` (cpu seconds of this thread in the sampler's methods); and `rss` (bytes) and
    `files` (open descriptors) as they are.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", buffering=1)
        self.process, self.began = psutil.Process(), time.perf_counter()
        self.sampler, self.depth = 0.0, 0

    def watch(self, sampler: type[BaseSampler]) -> None:
        """Time a sampler's methods, in this process."""
        for name in METHODS:
            setattr(sampler, name, self._timed(getattr(sampler, name), name))

    def _timed(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*arguments: Any, **named: Any) -> Any:
            self.depth += 1
            start = time.thread_time()
            try:
                return method(*arguments, **named)
            finally:
                self.depth -= 1
                if not self.depth:
                    self.sampler += time.thread_time() - start
                    if name == "after_trial":
                        self._write()

        return timed

    def _write(self) -> None:
        line = {
            "wall": time.perf_counter() - self.began,
            "cpu": time.process_time(),
            "sampler": self.sampler,
            "rss": self.process.memory_info().rss,
            "files": self.process.num_fds(),
        }
        self.file.write(json.dumps(line) + "\n")


def watch_if_asked(variable: str = "SOAK_RECORD") -> None:
    """Watch this process's samplers where the environment names a file for it."""
    if variable in os.environ:
        recorder = Recorder(Path(os.environ[variable]))
        for sampler in SAMPLERS.values():
            recorder.watch(sampler)
