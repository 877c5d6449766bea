"""A study as it goes, from any machine that can read its storage.

    python -m mnist_sweep.watch study=schedule-enhanced-mnist

study    the study's name
storage  where it is; sqlite:///multirun/optuna.db where that is left out
every    seconds between two looks; 2

A line for each trial that ends, and in a terminal below them how far the study is, which trials run
now, and where. A file gets the lines alone. It ends when the study has all its trials. A study that
is not there yet, say since a cluster has not started it, is waited for; one that has stopped is
watched until somebody resumes it. Ctrl-C ends the watching, and not the sweep.

Reading changes nothing. python -m mnist_sweep.report live=true has a page with charts instead.
"""

import math
import time
from contextlib import closing
from dataclasses import dataclass

import optuna

from mnist_sweep.cli import arguments
from mnist_sweep.cli.arguments import ArgumentError
from mnist_sweep.study_folder import STORAGE
from mnist_sweep.watch.screen import Screen
from mnist_sweep.watch.watching import Watching

REST = 4  # times as long as a look took pass until the next: others need the storage


@dataclass
class Watch:
    """The command line; see the module."""

    study: str
    storage: str = STORAGE
    every: float = 2.0


def main(asked: Watch) -> None:
    """Show the study until it has all its trials."""
    if not 0 < asked.every < math.inf:
        raise ArgumentError(f"every must be greater than 0 and finite, but got {asked.every:g}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with closing(Screen()) as screen:
        watching = Watching(asked.study, asked.storage, screen)
        while not watching.over:
            began = time.monotonic()
            watching.step()
            if not watching.over:
                time.sleep(max(asked.every, REST * (time.monotonic() - began)))


if __name__ == "__main__":
    arguments.run(Watch, __doc__ or "", main, wait="reading the study")
