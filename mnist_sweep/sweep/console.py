"""What a sweep prints: its decisions, a line a trial, how it stands, and what was found."""

import logging
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna.trial import FrozenTrial

from mnist_sweep.cli.terminal import can_show, columns_of
from mnist_sweep.errors import full_errors
from mnist_sweep.passwords import without_password
from mnist_sweep.sweep.callbacks import SweepCallback
from mnist_sweep.sweep.closing import Closing
from mnist_sweep.sweep.hydra_adapter import Given
from mnist_sweep.sweep.live_view import LiveView
from mnist_sweep.sweep.objective_text import ObjectiveText
from mnist_sweep.sweep.opening import Chosen, Opened
from mnist_sweep.sweep.progress import Progress
from mnist_sweep.sweep.storage import OUTAGE
from mnist_sweep.sweep.trial_line import BARS, PLAIN_BARS, Change, TrialLine, changes
from mnist_sweep.sweep.trials import outcomes
from mnist_sweep.sweep.trials.proposals import Proposal
from mnist_sweep.sweep.trials.status import attributes_of
from mnist_sweep.text import counted

log = logging.getLogger("mnist_sweep")

INTERVAL = 60.0  # seconds between two lines of a log file that say how the sweep stands


class Console(SweepCallback):
    """The printed lines of a sweep: one a trial, and what was decided and found.

    In a terminal, the lines of the trials scroll above a view of the sweep and its workers, which
    alone has the counts, the best and the time left. A log file has them in a line now and then.
    """

    def __init__(self, opened: Opened, given: Given) -> None:
        self.tally, self.settings, self.total = opened.tally, given.settings, opened.total
        self.given, self.directory, self.space = given, given.directory, opened.gated_space
        self.started = self.stood = time.monotonic()
        self.written = _writer(opened, given)
        self.progress = Progress(
            self.tally,
            self.total,
            self.written,
            self.directory,
            opened.chosen.slots,
            self.settings.timeout,
        )
        done = self.progress.done()
        self.said: set[str] = set()
        self.rejections: list[Proposal] = []  # not said yet
        self.view: LiveView | None = None
        self._say(
            f"study {opened.study.study_name} in "
            f"{without_password(self.settings.storage) or 'memory'}: "
            f"{done} of {counted(self.total, 'trial')} done"
        )
        self._say_chosen(opened.chosen)
        if sys.stderr.isatty():
            workers = min(opened.chosen.slots, max(self.total - done, 1))
            self.view = LiveView(self.total, done, workers)

    def _say_chosen(self, chosen: Chosen) -> None:
        """Say what was decided for the user: sampler, pruner, workers, what is not searched."""
        off = chosen.pruning_off
        pruner = f"off, since {off}" if off else chosen.pruner
        self._say(f"sampler: {chosen.sampler}; pruner: {pruner}")
        self._say(f"workers: {chosen.backend}")
        if chosen.directory is not None:
            self._say(
                f"directory: {chosen.directory}, since hydra.sweep.dir names a time, and a resumed "
                "trial has to find its own"
            )
        if chosen.missing:
            names = ", ".join(chosen.missing)
            self._say(f"not searched, since the config has no such setting: {names}")
        for line in chosen.unmet:
            self._say(f"not searched: {line}")
        if chosen.extended:
            self._say(chosen.extended)
        if chosen.left:
            self._say(
                f"{counted(chosen.left, 'configuration')} of the search space left to try: each "
                "runs once"
            )

    def launched(self, number: int) -> None:
        """Time a trial from its launch."""
        self.progress.pace.start(number)

    def recorded(self, facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
        """Say once what the trials run on, from what the first one recorded at its start."""
        self.progress.max_epochs[facts["trial"]] = facts["max_epochs"]
        self.written.learn(facts)
        data = facts["data"]
        train, val, test = (f"{size:,}" for size in data["sizes"].values())
        for line in (
            f"data: {data['name']}, {train} train / {val} validation / {test} test images; "
            f"{data['reason']}",
            f"device: {facts['device']}, {counted(facts['threads'], 'thread')} a trial, "
            f"{facts['precision']}",
        ):
            self._say_once(line)
        if facts.get("advice"):
            self._say_once(f"note: {facts['advice']}")

    def rejected(self, proposal: Proposal) -> None:
        """Collect proposals that the gate rejected, to say several in one line."""
        self.rejections.append(proposal)

    def _say_rejected(self) -> None:
        rejected, self.rejections = self.rejections, []
        if not rejected:
            return
        closest = min(rejected, key=lambda proposal: proposal.excess)
        if len(rejected) == 1:
            self._say(f"trial {closest.trial.number} rejected: {closest.reason}")
            return
        self._say(
            f"trials {rejected[0].trial.number} to {rejected[-1].trial.number} rejected, "
            f"{len(rejected)} proposals; the closest, trial {closest.trial.number}: "
            f"{closest.reason}"
        )

    def refused(self, number: int, reason: str) -> None:
        """Say that a proposal is no valid run."""
        self._say(f"trial {number} refused: {reason}", logging.WARNING)

    def requeued(self, number: int) -> None:
        """Say that a trial will be resumed whose process is gone."""
        self._say(f"trial {number}: its process is gone; it is requeued and will be resumed")

    def lease_lost(self, number: int) -> None:
        """Say that another sweep has taken over a trial."""
        self.progress.pace.started.pop(number, None)
        self._say(f"trial {number} was taken over by another sweep: its result here is discarded")

    def retried(self, number: int, reason: str) -> None:
        """Say that a trial is resumed in a new process."""
        self.progress.pace.started.pop(number, None)
        self._say(f"trial {number}: {reason}; it is resumed in a new process")

    def failed(self, number: int, reason: str) -> None:
        """Say that a trial failed."""
        self.progress.pace.end(number)
        self._say(f"trial {number} failed: {reason}", logging.WARNING)

    def pruned(self, number: int, reason: str) -> None:
        """Say that a trial was stopped early."""
        self.progress.pace.end(number)
        trial = self._trial(number)
        steps = trial.intermediate_values
        last = [steps[max(steps)]] if steps else []
        self._say_trial(trial, "pruned", self.written.all(last))

    def complete(self, number: int, values: Sequence[float]) -> None:
        """Say a trial's values, and whether it is the best so far."""
        self.progress.pace.end(number)
        self._say_trial(self._trial(number), "done", self.written.all(values))

    def _trial(self, number: int) -> FrozenTrial:
        return self.tally.trials[number]

    def _say_trial(self, trial: FrozenTrial, state: str, value: str) -> None:
        attributes = attributes_of(trial)
        curve = [report for _, report in sorted(trial.intermediate_values.items())]
        line = TrialLine(
            trial.number,
            state,
            value,
            any(best.number == trial.number for best in self.tally.best),
            None if "parameters" in self.written.names else attributes.get("parameters"),
            curve,
            max(attributes.get("max_epochs", 0), len(curve), 1),
            [change.short for change in self._changes(trial)],
        )
        bars = BARS if can_show(log, BARS) else PLAIN_BARS
        self._say(line.fitted(columns_of(log), bars))

    def _changes(self, trial: FrozenTrial) -> list[Change]:
        return changes(trial.params, self.space.space.names(), self.space.current)

    def stopped(self, reason: str) -> None:
        """Say why the sweep ends before its total."""
        self._say_once(f"{reason}: no further trial is launched")

    def waiting(self) -> None:
        """Say that the trials that are left run in other processes."""
        self._say_once("no trial is left to launch: waiting for trials that other processes run")

    def tick(self, running: Sequence[int]) -> None:
        """Show how the sweep and its workers stand."""
        self._say_rejected()
        due = time.monotonic() - self.stood > INTERVAL and bool(running)
        if not (self.view or due):
            return
        with suppress(*OUTAGE):  # the next look may find the storage again
            done, standing = self.progress.done(), self.progress.standing(running)
            epochs = self.progress.epochs(running)
            if self.view:
                self.view.update(done, standing, epochs)
            else:
                self.stood = time.monotonic()
                self._say(f"{done}/{self.total} done, {standing}; running: {', '.join(epochs)}")

    def ending(self) -> None:
        """Take the view away."""
        if self.view:
            self.view.close()
            self.view = None
        self._say_rejected()

    def raised(self, error: BaseException) -> None:
        """Show the traceback of a job that raised, where tracebacks are asked for."""
        if full_errors():
            self._say("".join(traceback.format_exception(error)).rstrip(), logging.ERROR)

    def ended(self) -> None:
        """Say what was found and where to look next."""
        self.ending()
        closing = Closing(self.tally, self.given, self.total, self.written, self._changes)
        for line in closing.lines(time.monotonic() - self.started):
            self._say(line)

    def _say_once(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            self._say(line)

    def _say(self, line: str, level: int = logging.INFO) -> None:
        self._say_rejected()
        if self.view:
            self.view.above(lambda: log.log(level, line))
        else:
            log.log(level, line)


def _writer(opened: Opened, given: Given) -> ObjectiveText:
    """Return how the objective is written, with what the study's trials say of that so far."""
    written = ObjectiveText(given.task.objectives)
    for trial in opened.study.get_trials(deepcopy=False):
        written.recognize(trial)
        facts = outcomes.recorded(given.directory / str(trial.number)) if written.ours else {}
        if facts:
            written.learn(facts)
            break
    return written
