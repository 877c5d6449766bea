"""Where a watched study is shown: lines that scroll, and in a terminal a view below them."""

import sys
from datetime import datetime

from mnist_sweep.cli.terminal import columns, has
from mnist_sweep.sweep.live_view import LiveView
from mnist_sweep.sweep.trial_line import BARS, PLAIN_BARS, TrialLine
from mnist_sweep.watch.sight import Sight


class Screen:
    """A screen for one study, to be closed in the end, which takes the view away.

    Lines go to standard output, the view to standard error where that is a terminal.
    """

    def __init__(self) -> None:
        self.view: LiveView | None = None

    def say(self, line: TrialLine | str) -> None:
        """Print a line, above the view where there is one."""
        if isinstance(line, TrialLine):
            bars = BARS if has(sys.stdout, BARS) else PLAIN_BARS
            line = line.fitted(columns(sys.stdout), bars)
        if self.view:
            self.view.above(lambda: print(line, flush=True))
        else:
            print(line, flush=True)

    def draw(self, sight: Sight) -> None:
        """Draw the view anew; nothing where there is no terminal."""
        if not sys.stderr.isatty():
            return
        entry = sight.entry
        if self.view is None:
            began = entry.started or datetime.now()
            seconds = max((datetime.now() - began).total_seconds(), 0.0)
            self.view = LiveView(entry.total, entry.done, seconds=seconds)
        self.view.update(entry.done, sight.standing, sight.running)

    def close(self) -> None:
        """Take the view away."""
        if self.view:
            self.view.close()
            self.view = None
